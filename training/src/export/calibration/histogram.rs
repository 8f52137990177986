//! How often values were how large, in bounded memory and one pass.

use super::range::ValueRange;

/// Bins on each side of 0.
const SIDE: usize = 4096;

/// The bounds that are tried on each side, as shares of the farthest value.
const BOUNDS: usize = 64;

/// Counts of values in equal bins around 0. The bins double their width, pairwise merged, when a value is beyond them.
pub(super) struct Histogram {
    /// Bin `SIDE + i` counts `[i, i + 1) · width`.
    counts: Vec<u64>,
    width: f64,
    lowest: f32,
    highest: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; 2 * SIDE], width: 1.0 / SIDE as f64, lowest: 0.0, highest: 0.0 }
    }
}

impl Histogram {
    /// Counts finite values; others say nothing about a range.
    pub(super) fn add(&mut self, values: &[f32]) {
        for value in values.iter().filter(|value| value.is_finite()) {
            (self.lowest, self.highest) = (self.lowest.min(*value), self.highest.max(*value));
            let mut bin = self.bin(*value);
            while !(0.0..2.0 * SIDE as f64).contains(&bin) {
                self.widen();
                bin = self.bin(*value);
            }
            self.counts[bin as usize] += 1;
        }
    }

    /// From the lowest to the highest value.
    pub(super) fn extremes(&self) -> ValueRange {
        ValueRange::new(self.lowest, self.highest)
    }

    /// The range whose integers are nearest to the values, by the sum of squared differences: a step's rounding costs the twelfth
    /// part of its square (Widrow 1956), and a value beyond the range the square of its distance from it.
    pub(super) fn least_squares(&self) -> ValueRange {
        let below = Tail::of(self.counts[..SIDE].iter().rev(), self.width);
        let above = Tail::of(self.counts[SIDE..].iter(), self.width);
        let total = (below.count(0.0) + above.count(0.0)) as f64;
        let shares = || (1..=BOUNDS).map(|share| share as f64 / BOUNDS as f64);
        let (lowest, highest) = (f64::from(-self.lowest), f64::from(self.highest));
        let cost = |low: f64, high: f64| {
            let step = (low + high) / 255.0;
            let inside = total - (below.count(low) + above.count(high)) as f64;
            inside * step * step / 12.0 + below.clipping(low) + above.clipping(high)
        };
        let candidates = shares().flat_map(|low| shares().map(move |high| (low * lowest, high * highest)));
        let best = candidates.min_by(|one, other| cost(one.0, one.1).total_cmp(&cost(other.0, other.1)));
        best.map_or(self.extremes(), |(low, high)| ValueRange::new(-low as f32, high as f32))
    }

    fn bin(&self, value: f32) -> f64 {
        (f64::from(value) / self.width).floor() + SIDE as f64
    }

    fn widen(&mut self) {
        let mut merged = vec![0; 2 * SIDE];
        for (bin, count) in self.counts.iter().enumerate() {
            merged[SIDE / 2 + bin / 2] += count;
        }
        (self.counts, self.width) = (merged, self.width * 2.0);
    }
}

/// One side of a histogram, by distance from 0: the sums over all values that are at least so far.
struct Tail {
    width: f64,
    /// For each bin and those beyond it: how many, their distances and squared distances, taken at the bins' middles.
    sums: Vec<(u64, f64, f64)>,
}

impl Tail {
    fn of<'a>(counts: impl DoubleEndedIterator<Item = &'a u64> + ExactSizeIterator, width: f64) -> Self {
        let mut sums = vec![(0, 0.0, 0.0); counts.len() + 1];
        for (bin, count) in counts.enumerate().rev() {
            let (distance, weight) = ((bin as f64 + 0.5) * width, *count as f64);
            let (number, first, second) = sums[bin + 1];
            sums[bin] = (number + count, first + weight * distance, second + weight * distance * distance);
        }
        Self { width, sums }
    }

    /// The values whose bin begins at `bound` or beyond.
    fn beyond(&self, bound: f64) -> (u64, f64, f64) {
        let bin = (bound / self.width).ceil() as usize;
        self.sums.get(bin).copied().unwrap_or_default()
    }

    fn count(&self, bound: f64) -> u64 {
        self.beyond(bound).0
    }

    /// The sum of squared distances from the bound.
    fn clipping(&self, bound: f64) -> f64 {
        let (number, first, second) = self.beyond(bound);
        second - 2.0 * bound * first + bound * bound * number as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f32>) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(&values.into_iter().collect::<Vec<_>>());
        histogram
    }

    #[test]
    fn no_value_is_lost_when_bins_widen() {
        let histogram = of([0.5, -0.5, 100.0, -3.0, 0.5001, f32::NAN, f32::INFINITY]);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 5);
        // 100 is below 128 = SIDE / 32, so that a bin is 1/32 wide.
        assert_eq!(histogram.width, 1.0 / 32.0);
        assert_eq!(histogram.counts[SIDE + 16], 2);
        assert_eq!(histogram.counts[SIDE - 16], 1);
        assert_eq!(histogram.counts[SIDE + 3200], 1);
        assert_eq!(histogram.counts[SIDE - 96], 1);
        assert_eq!(histogram.extremes(), ValueRange::new(-3.0, 100.0));
    }

    #[test]
    fn clipping_is_the_squared_distance() {
        let histogram = of([0.1, 0.6, 0.9]);
        let tail = Tail::of(histogram.counts[SIDE..].iter(), histogram.width);
        assert_eq!((tail.count(0.0), tail.count(0.5), tail.count(0.95)), (3, 2, 0));
        assert!((tail.clipping(0.5) - (0.01 + 0.16)).abs() < 1e-3);
    }

    #[test]
    fn even_values_keep_their_whole_range() {
        let even = of((-1000..=2000).map(|value| value as f32 / 1000.0));
        assert_eq!(even.least_squares(), ValueRange::new(-1.0, 2.0));
        assert_eq!(of([0.0; 9]).least_squares(), ValueRange::new(0.0, 0.0));
    }

    #[test]
    fn one_far_value_is_clipped_and_many_are_not() {
        let near = || (-500..=500).map(|value| value as f32 / 500.0);
        // A million values of [-1, 1] and one of 50: 1.28 (1 + h)² + (50 - h)² is least at h = 21.4.
        let far = |count: usize, value: f32| of(near().cycle().take(1_000_000).chain(vec![value; count]));
        let high = |range: ValueRange| f32::from(255 - range.zero_point()) * range.scale();
        let clipped = high(far(1, 50.0).least_squares());
        assert!((clipped - 21.4).abs() < 1.0, "{clipped}");
        assert!(high(far(10_000, 50.0).least_squares()) > 49.0);
    }
}
