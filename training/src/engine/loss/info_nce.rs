//! InfoNCE: rows that belong together are to be told from all others of their batch.

use candle_core::{D, Device, Result, Tensor, bail};

use super::softplus;

/// What stands for the score of a row that is no candidate: far below any, and far from the end of f32.
const ABSENT: f32 = -1e9;

/// `-log eˢ⁺ / (eˢ⁺ + Σ eˢ⁻)` over in-batch negatives: `s` is the cosine of two vectors over a temperature, `+` a row of the same
/// class and `-` those of all others (van den Oord and others, "Representation Learning with Contrastive Predictive Coding",
/// 2018; Henderson and others, "Efficient Natural Language Response Suggestion", 2017, whose pairs are classes of two rows here).
///
/// Where a class has several rows, each of them is a positive in its turn and none is a negative: the mean is taken over a row's
/// positives, then over rows, as supervised contrastive learning does it (Khosla and others, 2020), but a row's other positives do not
/// stand in the denominator, where they would be pushed away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfoNce {
    /// What cosines are divided by: the lower, the more the nearest negatives count.
    pub temperature: f64,
}

impl InfoNce {
    /// The mean over rows of `vectors`, `[rows, hidden]`, whose classes are `classes`: for sentence pairs, the pairs' numbers.
    ///
    /// # Errors
    ///
    /// Not as many classes as rows, or none of several rows.
    pub fn mean(&self, vectors: &Tensor, classes: &[usize]) -> Result<Tensor> {
        let rows = vectors.dim(0)?;
        if classes.len() != rows {
            bail!("InfoNCE: {} classes for {rows} vectors", classes.len());
        }
        let (positives, negatives) = masks(classes);
        let paired = positives.chunks_exact(rows).filter(|row| row.iter().any(|weight| *weight > 0.0)).count();
        if paired == 0 {
            bail!("InfoNCE: no two of {rows} vectors are of one class");
        }
        let lengths = vectors.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
        let units = vectors.broadcast_div(&lengths)?;
        let scores = (units.matmul(&units.t()?)? / self.temperature)?;
        let matrix = |values| Tensor::from_vec(values, (rows, rows), &Device::Cpu);
        let others = log_sum(&(&scores + matrix(negatives)?)?)?;
        // -log eˢ⁺ / (eˢ⁺ + Σ eˢ⁻) is the softplus of log Σ eˢ⁻ - s⁺.
        let terms = softplus(&scores.neg()?.broadcast_add(&others)?)?;
        terms.mul(&matrix(positives)?)?.sum_all()? / paired as f64
    }
}

/// Two matrices `[rows, rows]`: each row's positives with weights that add up to one, and 0 for its negatives, [`ABSENT`] for others.
fn masks(classes: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let mut positives = Vec::with_capacity(classes.len() * classes.len());
    let mut negatives = Vec::with_capacity(classes.len() * classes.len());
    for (row, class) in classes.iter().enumerate() {
        let same = classes.iter().filter(|other| *other == class).count() - 1;
        for (column, other) in classes.iter().enumerate() {
            positives.push(if other == class && row != column { 1.0 / same as f32 } else { 0.0 });
            negatives.push(if other == class { ABSENT } else { 0.0 });
        }
    }
    (positives, negatives)
}

/// The logarithm of each row's summed powers, `[rows, 1]`.
fn log_sum(scores: &Tensor) -> Result<Tensor> {
    let highest = scores.max_keepdim(D::Minus1)?.detach();
    scores.broadcast_sub(&highest)?.exp()?.sum_keepdim(D::Minus1)?.log()? + highest
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    fn of<const N: usize>(temperature: f64, vectors: &[[f32; 2]; N], classes: &[usize]) -> Result<f32> {
        InfoNce { temperature }.mean(&Tensor::new(vectors, &Device::Cpu)?, classes)?.to_scalar()
    }

    #[test]
    fn pairs_cost_what_is_counted_by_hand() {
        // Two pairs at right angles, whatever the lengths: each row has one positive of cosine 1 and two negatives of cosine 0.
        let vectors = [[2.0, 0.0], [0.0, 3.0], [0.5, 0.0], [0.0, 1.0]];
        for temperature in [1.0f64, 0.25] {
            let expected = (1.0 + 2.0 * (-1.0 / temperature).exp()).ln() as f32;
            let loss = of(temperature, &vectors, &[0, 1, 0, 1]).unwrap();
            assert!((loss - expected).abs() < 1e-6, "{loss}, not {expected}");
        }
        // All alike: the positive is one of three candidates.
        assert!((of(0.05, &[[1.0, 1.0]; 4], &[7, 7, 8, 8]).unwrap() - 3f32.ln()).abs() < 1e-5);
    }

    #[test]
    fn rows_of_the_same_class_are_no_negatives() {
        // Three of one class, one of which points elsewhere, and a negative between.
        let vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
        let cost = |own: f32, negative: f32| (1.0 + (negative - own).exp()).ln();
        let near = (cost(1.0, -1.0) + cost(0.0, -1.0)) / 2.0;
        let expected = (2.0 * near + cost(0.0, 0.0)) / 3.0;
        let loss = of(1.0, &vectors, &[0, 0, 0, 1]).unwrap();
        assert!((loss - expected).abs() < 1e-6, "{loss}, not {expected}");
        // Without negatives there is nothing to tell apart.
        assert!(of(1.0, &vectors, &[0; 4]).unwrap().abs() < 1e-6);
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        let centre = [[0.9f32, -0.4], [0.3, 0.8], [-0.6, 0.5], [1.1, 0.2], [0.4, -1.3]];
        for classes in [[0, 1, 0, 1, 2], [0, 0, 0, 1, 1]] {
            let variable = Var::new(&centre, &Device::Cpu).unwrap();
            let loss = InfoNce { temperature: 0.5 }.mean(&variable, &classes).unwrap();
            let slopes: Vec<Vec<f32>> = loss.backward().unwrap().get(&variable).unwrap().to_vec2().unwrap();
            for (row, column) in (0..5).flat_map(|row| [(row, 0), (row, 1)]) {
                let at = |distance: f32| {
                    let mut moved = centre;
                    moved[row][column] += distance;
                    of(0.5, &moved, &classes).unwrap()
                };
                let expected = (at(0.01) - at(-0.01)) / 0.02;
                let got = slopes[row][column];
                assert!((got - expected).abs() < 1e-3, "{classes:?} [{row}][{column}]: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn a_class_without_negatives_or_partners_has_finite_slopes() {
        let slopes = |classes: &[usize]| -> Vec<f32> {
            let variable = Var::new(&[[1f32, 0.0], [0.0, 1.0], [1.0, 1.0]], &Device::Cpu).unwrap();
            let loss = InfoNce { temperature: 0.05 }.mean(&variable, classes).unwrap();
            loss.backward().unwrap().get(&variable).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        assert!(slopes(&[0, 0, 1]).iter().all(|slope| slope.is_finite()));
        assert!(slopes(&[0, 0, 0]).iter().all(|slope| *slope == 0.0));
    }

    #[test]
    fn batches_without_a_pair_are_refused() {
        let refusal = |classes: &[usize]| of(1.0, &[[1.0, 0.0], [0.0, 1.0]], classes).unwrap_err().to_string();
        assert!(refusal(&[0, 1]).contains("no two of 2 vectors"), "{}", refusal(&[0, 1]));
        assert!(refusal(&[0]).contains("1 classes for 2 vectors"), "{}", refusal(&[0]));
    }
}
