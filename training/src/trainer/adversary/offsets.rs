//! How far a batch's word vectors are moved; distances are measured over a whole sequence.

use std::ops::Range;

use crate::engine::PackedBatch;
use crate::random::Random;

/// What is added to the word vectors of a batch, `[tokens, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::trainer) struct Offsets {
    pub(in crate::trainer) values: Vec<f32>,
    /// Where each sequence's values are.
    sequences: Vec<Range<usize>>,
}

impl Offsets {
    /// Word vectors stay in place.
    pub(in crate::trainer) fn zero(batch: &PackedBatch, width: usize) -> Self {
        Self {
            values: vec![0.0; batch.tokens().len() * width],
            sequences: batch.spans().map(|span| span.start * width..span.end * width).collect(),
        }
    }

    /// Evenly random offsets, each sequence's at most `distance` long.
    pub(super) fn spread(&mut self, distance: f64, random: &mut Random) {
        for sequence in self.sequences.clone() {
            let reach = distance / (sequence.len() as f64).sqrt();
            self.values[sequence].fill_with(|| ((2.0 * random.unit() - 1.0) * reach) as f32);
        }
    }

    /// Moves each sequence by `distance` along its slope.
    pub(super) fn climb(&mut self, slope: &[f32], distance: f64) {
        for sequence in self.sequences.clone() {
            let slope = &slope[sequence.clone()];
            let norm = norm(slope);
            if norm > 0.0 {
                let scale = (distance / norm) as f32;
                for (value, slope) in self.values[sequence].iter_mut().zip(slope) {
                    *value = slope.mul_add(scale, *value);
                }
            }
        }
    }

    /// Draws sequences that are farther than `distance` back to it.
    pub(super) fn bound(&mut self, distance: f64) {
        for sequence in self.sequences.clone() {
            let values = &mut self.values[sequence];
            let norm = norm(values);
            if norm > distance {
                values.iter_mut().for_each(|value| *value *= (distance / norm) as f32);
            }
        }
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence of one token and one of two, two values a token.
    fn offsets() -> Offsets {
        Offsets::zero(&PackedBatch::new([[1u32].as_slice(), &[2, 3]]), 2)
    }

    #[test]
    fn each_sequence_climbs_its_own_slope() {
        let mut offsets = offsets();
        offsets.climb(&[30.0, 40.0, 0.0, 0.0, 0.0, -1e-6], 2.0);
        let expected = [1.2f32, 1.6, 0.0, 0.0, 0.0, -2.0];
        assert!(offsets.values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-6));
        let before = offsets.clone();
        offsets.climb(&[0.0; 6], 2.0);
        assert_eq!(offsets, before, "where the slope is flat, nothing moves");
    }

    #[test]
    fn what_is_too_far_comes_back() {
        let mut offsets = offsets();
        offsets.values.copy_from_slice(&[3.0, 4.0, 0.5, 0.5, 0.5, 0.5]);
        offsets.bound(2.5);
        assert_eq!(offsets.values, [1.5, 2.0, 0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn random_offsets_are_in_reach() {
        let mut offsets = offsets();
        offsets.spread(0.8, &mut Random::new(1, "test"));
        for sequence in offsets.sequences.clone() {
            let norm = norm(&offsets.values[sequence]);
            assert!(norm > 0.0 && norm <= 0.8, "{norm}");
        }
    }
}
