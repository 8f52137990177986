//! Loops over slices, compiled for the machine's widest vectors.

/// Lanes that sums are taken in; sixteen 32-bit floats fill an AVX-512 register.
const LANES: usize = 16;

/// Runs a kernel in the version that was compiled for this machine's vector unit.
///
/// A kernel is a struct of its arguments whose `call` is `#[inline(always)]`. A closure would do as well, were it not that the
/// compiler may then leave its body outside, where fused multiply-add is a function call.
#[inline]
pub(super) fn run<K: pulp::NullaryFnOnce>(kernel: K) -> K::Output {
    pulp::Arch::new().dispatch(kernel)
}

/// Defines a function whose body is a kernel for [`run`].
macro_rules! vectorised {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $output)? {
            struct Kernel<T>(T);
            impl pulp::NullaryFnOnce for Kernel<($($type,)*)> {
                type Output = $crate::engine::vector::vectorised!(@output $($output)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Kernel(($($argument,)*)) = self;
                    $body
                }
            }
            $crate::engine::vector::run(Kernel(($($argument,)*)))
        }
    };
    (@output) => { () };
    (@output $output:ty) => { $output };
}
pub(super) use vectorised;

vectorised! {
    /// Adds each row of `rows` to `sums`.
    pub(super) fn add_rows(sums: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sums.len()) {
            add(sums, row);
        }
    }
}

vectorised! {
    /// Adds `addend` to each row of `rows`.
    pub(super) fn add_to_rows(rows: &mut [f32], addend: &[f32]) {
        for row in rows.chunks_exact_mut(addend.len()) {
            add(row, addend);
        }
    }
}

vectorised! {
    /// The sum of squares.
    pub(super) fn square_sum(values: &[f32]) -> f32 {
        dot(values, values)
    }
}

vectorised! {
    /// Turns each row of scores into probabilities.
    pub(super) fn softmax_rows(rows: &mut [f32], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            softmax(row);
        }
    }
}

/// The sum, in an order of its own that is always the same.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The inner product.
#[inline(always)]
pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            lanes[lane] = left[lane].mul_add(right[lane], lanes[lane]);
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + rest
}

/// `target += values`.
#[inline(always)]
pub(super) fn add(target: &mut [f32], values: &[f32]) {
    for (target, value) in target.iter_mut().zip(values) {
        *target += value;
    }
}

/// `eˣ` to about 1e-7 of its value; exactly 0 below -87, where `f32` would turn denormal and slow.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding this constant rounds to whole numbers, which are then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let bounded = x.clamp(-87.0, 88.0);
    let shifted = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let part = whole.mul_add(-0.693_359_4, bounded);
    let part = whole.mul_add(2.121_944_4e-4, part);
    // Taylor's series around 0; |part| is at most ln 2 / 2.
    let mut series = 1.0f32 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series.mul_add(part, factor);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { series * power }
}

/// Turns scores into probabilities, in place.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let mut highest = f32::NEG_INFINITY;
    for &score in scores.iter() {
        highest = if score > highest { score } else { highest };
    }
    for score in scores.iter_mut() {
        *score = exp(*score - highest);
    }
    let scale = 1.0 / sum(scores);
    for score in scores.iter_mut() {
        *score *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_and_never_denormal() {
        for step in -8_700..8_700 {
            let x = step as f32 / 100.0;
            let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got / expected - 1.0).abs() < 3e-7, "exp({x}) = {got}, not {expected}");
        }
        assert_eq!(exp(0.0), 1.0);
        for x in [-87.1, -100.0, -1e30, f32::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0, "exp({x})");
        }
    }

    #[test]
    fn sums_agree_with_plain_ones() {
        let values: Vec<f32> = (0..77).map(|index| (index as f32 * 0.7).sin()).collect();
        let plain: f64 = values.iter().copied().map(f64::from).sum();
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((f64::from(sum(&values)) - plain).abs() < 1e-5);
        assert!((f64::from(square_sum(&values)) - squares).abs() < 1e-4);
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_order() {
        let mut scores = [1.0, 3.0, -2.0, 1000.0 - 999.0, f32::NEG_INFINITY];
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(scores[1] > scores[0] && scores[0] == scores[3] && scores[4] == 0.0);
    }
}
