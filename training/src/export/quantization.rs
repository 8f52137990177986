//! Weights as 8-bit integers, one scale a row (Nagel et al. 2021, "A White Paper on Neural Network Quantization", section 2):
//! symmetric, so that a product needs no correction for the weight's zero point. A linear layer's row is an output channel, a
//! table's row a token.

use crate::export::weights::Weight;

/// The largest integer; −128 stays unused, so that the range is symmetric.
const LARGEST: f32 = 127.0;

/// A weight `[rows, columns]` whose row `r` is `integers[r] · scales[r]`.
pub(super) struct QuantizedRows {
    integers: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

impl QuantizedRows {
    /// Rounds each row to multiples of its largest value's 127th part: no element is off by more than half of that.
    pub(super) fn of(weight: &Weight) -> Self {
        let columns = weight.shape.last().copied().unwrap_or(1).max(1);
        let mut rounded = Self { integers: Vec::with_capacity(weight.values.len()), scales: Vec::new() };
        for row in weight.values.chunks_exact(columns) {
            let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            let scale = if largest > 0.0 { largest / LARGEST } else { 1.0 };
            rounded.integers.extend(row.iter().map(|value| (value / scale).round_ties_even() as i8));
            rounded.scales.push(scale);
        }
        rounded
    }

    /// The integers, row by row, as a file holds them.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.integers.iter().map(|integer| *integer as u8).collect()
    }

    /// Rows to columns, with the shape: what a product takes from the right.
    pub(super) fn transposed(&self) -> ([usize; 2], Vec<u8>) {
        let rows = self.scales.len();
        let columns = self.integers.len().checked_div(rows).unwrap_or(0);
        let bytes = (0..self.integers.len()).map(|index| self.integers[index % rows * columns + index / rows] as u8);
        ([columns, rows], bytes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_rounded_by_their_own_scales() {
        let weight = Weight { shape: vec![3, 2], values: vec![1.27, -0.634, -50.8, 0.3, 0.0, 0.0] };
        let rows = QuantizedRows::of(&weight);
        assert_eq!(rows.integers, [127, -63, -127, 1, 0, 0]);
        let expected = [0.01, 0.4, 1.0];
        assert!(rows.scales.iter().zip(expected).all(|(scale, expected)| (scale - expected).abs() < 1e-6));
        assert_eq!(rows.bytes(), [127, 193, 129, 1, 0, 0]);
        assert_eq!(rows.transposed(), ([2, 3], vec![127, 129, 0, 193, 1, 0]));
        for (index, value) in weight.values.iter().enumerate() {
            let restored = f32::from(rows.integers[index]) * rows.scales[index / 2];
            assert!((restored - value).abs() <= rows.scales[index / 2] / 2.0 + 1e-6);
        }
    }
}
