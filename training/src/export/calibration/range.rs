//! The range of real numbers that 256 integers stand for.

/// The steps between the smallest and the largest unsigned 8-bit integer.
const STEPS: f32 = 255.0;

/// A range that holds 0, which is an integer in it: padding and dead units cost nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::export) struct ValueRange {
    low: f32,
    high: f32,
}

impl ValueRange {
    /// The range from `low` to `high`, widened to hold 0.
    pub(in crate::export) fn new(low: f32, high: f32) -> Self {
        Self { low: low.min(0.0), high: high.max(0.0) }
    }

    /// The real number that one step stands for.
    pub(in crate::export) fn scale(&self) -> f32 {
        let scale = (self.high - self.low) / STEPS;
        // A value that is always 0 has no range.
        if scale > f32::MIN_POSITIVE { scale } else { 1.0 }
    }

    /// The integer that stands for 0.
    pub(in crate::export) fn zero_point(&self) -> u8 {
        (-self.low / self.scale()).round_ties_even() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_an_integer_of_every_range() {
        #[track_caller]
        fn check(low: f32, high: f32, scale: f32, zero_point: u8) {
            let range = ValueRange::new(low, high);
            assert!((range.scale() - scale).abs() < 1e-6, "{range:?}");
            assert_eq!(range.zero_point(), zero_point, "{range:?}");
        }
        check(-1.0, 1.55, 0.01, 100);
        check(0.5, 2.55, 0.01, 0);
        check(-5.1, -1.0, 0.02, 255);
        check(0.0, 0.0, 1.0, 0);
    }
}
