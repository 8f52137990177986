//! Mixup on pooled states: a row is blended with another, and so is its label.

use candle_core::{Device, Result, Tensor};

use crate::random::Random;

/// A batch's blend (Verma and others, "Manifold Mixup", 2019; Sun and others, "Mixup-Transformer", 2020).
#[derive(Debug)]
pub(super) struct Mixing {
    /// The row that each is blended with.
    partners: Vec<u32>,
    /// How much of a row is its own.
    share: f64,
}

impl Mixing {
    /// A random blend for `runs` times `rows`; each of a row's runs is blended alike.
    pub(super) fn draw(alpha: f64, rows: usize, runs: usize, random: &mut Random) -> Self {
        let share = beta(alpha, random);
        let mut order: Vec<u32> = (0..rows as u32).collect();
        random.shuffle(&mut order);
        let partners = (0..runs).flat_map(|run| order.iter().map(move |row| (run * rows) as u32 + row)).collect();
        Self { partners, share }
    }

    /// Blends the rows of a matrix.
    pub(super) fn blend(&self, rows: &Tensor) -> Result<Tensor> {
        let partners = rows.index_select(&Tensor::new(self.partners.as_slice(), &Device::Cpu)?, 0)?;
        (rows * self.share)? + (partners * (1.0 - self.share))?
    }
}

/// A number from Beta(α, α): the first of two Gamma-distributed ones, as a share of both.
fn beta(alpha: f64, random: &mut Random) -> f64 {
    let (first, second) = (log_gamma_draw(alpha, random), log_gamma_draw(alpha, random));
    1.0 / (1.0 + (second - first).exp())
}

/// The logarithm of a number from Gamma(α, 1), which for a small α may itself be too small to write (Marsaglia and Tsang, "A
/// Simple Method for Generating Gamma Variables", 2000).
fn log_gamma_draw(alpha: f64, random: &mut Random) -> f64 {
    // Below 1 the method fails; Gamma(α) is Gamma(α + 1) · U^(1/α).
    let boost = (1.0 - random.unit()).ln() / alpha;
    let shape = alpha + 1.0 - 1.0 / 3.0;
    let spread = 1.0 / (9.0 * shape).sqrt();
    loop {
        let normal = random.normal();
        let root = 1.0 + spread * normal;
        if root > 0.0 {
            let cube = root.powi(3);
            if (1.0 - random.unit()).ln() < 0.5 * normal * normal + shape * (1.0 - cube + cube.ln()) {
                return (shape * cube).ln() + boost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_distributions_mean_and_variance() {
        for alpha in [0.2, 1.0, 4.0] {
            let mut random = Random::new(1, "test");
            let draws: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut random)).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
            let expected = 0.25 / (2.0 * alpha + 1.0);
            assert!((mean - 0.5).abs() < 0.01, "α {alpha}: mean {mean}");
            assert!((variance - expected).abs() < 0.03 * expected, "α {alpha}: variance {variance}, not {expected}");
        }
        let mut random = Random::new(1, "test");
        assert!((0..1000).all(|_| (0.0..=1.0).contains(&beta(1e-3, &mut random))));
    }

    #[test]
    fn rows_are_blended_as_counted_by_hand() {
        let mixing = Mixing { partners: vec![1, 0, 3, 2], share: 0.75 };
        let rows = Tensor::new(&[[4f32, 0.0], [0.0, 8.0], [1.0, 1.0], [5.0, 1.0]], &Device::Cpu).unwrap();
        let blended: Vec<Vec<f32>> = mixing.blend(&rows).unwrap().to_vec2().unwrap();
        assert_eq!(blended, [[3.0, 2.0], [1.0, 6.0], [2.0, 1.0], [4.0, 1.0]]);
    }

    #[test]
    fn partners_are_rows_of_the_same_run() {
        let mixing = Mixing::draw(1.0, 50, 2, &mut Random::new(1, "test"));
        let (first, second) = mixing.partners.split_at(50);
        assert!(first.iter().zip(second).all(|(first, second)| first + 50 == *second));
        let mut rows = first.to_vec();
        rows.sort_unstable();
        assert!(rows.into_iter().eq(0..50));
    }
}
