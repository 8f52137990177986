//! What training makes small: cross-entropy with label smoothing, and R-Drop's distance between two runs of one row.

use candle_core::{D, Device, Result, Tensor};

/// The loss of a head's logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// The share of each target that is spread evenly over all labels.
    pub label_smoothing: f64,
    /// The weight of the symmetric Kullback-Leibler divergence between a row's two runs. Above 0 the logits must be those of
    /// the rows, then of the same rows again (Liang and others, "R-Drop", 2021).
    pub r_drop: f64,
}

impl Objective {
    /// How often each row is run.
    pub fn runs(&self) -> usize {
        if self.r_drop > 0.0 { 2 } else { 1 }
    }

    /// The mean loss. `logits` is `[runs * rows, labels]`, `targets` holds one label index for each of the rows.
    pub fn loss(&self, logits: &Tensor, targets: &[usize]) -> Result<Tensor> {
        let (_, labels) = logits.dims2()?;
        let log_probabilities = log_softmax(logits)?;
        let spread = (self.label_smoothing / labels as f64) as f32;
        let mut wanted = vec![spread; targets.len() * self.runs() * labels];
        for (row, wanted) in wanted.chunks_exact_mut(labels).enumerate() {
            wanted[targets[row % targets.len()]] += (1.0 - self.label_smoothing) as f32;
        }
        let wanted = Tensor::from_vec(wanted, logits.dims(), &Device::Cpu)?;
        let scale = -1.0 / (targets.len() * self.runs()) as f64;
        let loss = ((log_probabilities.mul(&wanted)?.sum_all())? * scale)?;
        if self.runs() == 1 {
            return Ok(loss);
        }
        let first = log_probabilities.narrow(0, 0, targets.len())?;
        let second = log_probabilities.narrow(0, targets.len(), targets.len())?;
        let apart = (first.exp()? - second.exp()?)?.mul(&(first - second)?)?.sum_all()?;
        loss + (apart * (self.r_drop * 0.5 / targets.len() as f64))?
    }
}

/// The index of each row's largest logit.
pub fn likeliest(logits: &Tensor) -> Result<Vec<usize>> {
    let rows: Vec<Vec<f32>> = logits.to_vec2()?;
    let largest =
        |row: &Vec<f32>| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]).then(b.cmp(a))).unwrap_or(0);
    Ok(rows.iter().map(largest).collect())
}

/// In operations that autograd knows: candle's fused ones cut the gradient silently.
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let highest = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&highest)?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss<const N: usize>(objective: Objective, logits: &[[f32; 3]; N], targets: &[usize]) -> f32 {
        let logits = Tensor::new(logits, &Device::Cpu).unwrap();
        objective.loss(&logits, targets).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn losses_are_those_counted_by_hand() {
        let plain = Objective { label_smoothing: 0.0, r_drop: 0.0 };
        let even = loss(plain, &[[0.0; 3], [5.0; 3]], &[0, 2]);
        assert!((even - 3f32.ln()).abs() < 1e-6, "{even}");
        // One logit ahead by ln 2: probabilities 1/2, 1/4, 1/4.
        let logits = [[2f32.ln(), 0.0, 0.0]];
        assert!((loss(plain, &logits, &[0]) - 2f32.ln()).abs() < 1e-6);
        let smooth = Objective { label_smoothing: 0.3, r_drop: 0.0 };
        let expected = 0.8 * 2f32.ln() + 0.2 * 4f32.ln();
        assert!((loss(smooth, &logits, &[0]) - expected).abs() < 1e-6);
        // The two runs say 1/2, 1/4, 1/4 and 1/3 each.
        let twice = Objective { label_smoothing: 0.0, r_drop: 2.0 };
        let apart = (1.0f32 / 6.0) * 1.5f32.ln() + 2.0 * (-1.0f32 / 12.0) * 0.75f32.ln();
        let expected = (2f32.ln() + 3f32.ln()) / 2.0 + apart;
        let got = loss(twice, &[logits[0], [0.0; 3]], &[0]);
        assert!((got - expected).abs() < 1e-6, "{got}, not {expected}");
    }

    #[test]
    fn the_first_of_equals_is_likeliest() {
        let logits = Tensor::new(&[[0.0f32, 2.0, 2.0], [3.0, 1.0, 2.0]], &Device::Cpu).unwrap();
        assert_eq!(likeliest(&logits).unwrap(), [1, 0]);
    }
}
