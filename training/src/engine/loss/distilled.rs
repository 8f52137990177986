//! The distilled loss: beside a row's label, or in its place, what a teacher answers.

use candle_core::{Result, Tensor};

use super::{Loss, log_softmax, mean};

/// `L(own) - T² Σ q log pᵀ`: the labels' own loss, and the cross-entropy of the teacher's probabilities at the temperature T with
/// the model's. At T, slopes are some T² times smaller, which the factor makes up for (Hinton and others, "Distilling the
/// Knowledge in a Neural Network", 2015).
///
/// What is wanted is `[rows, 2 · labels]`: what labels want, then what the teacher wants, each scaled by its share; or, of rows that
/// have no teacher, `[rows, labels]`.
#[derive(Debug)]
pub struct Distilled {
    /// The labels' loss.
    pub labels: Box<dyn Loss>,
    /// T.
    pub temperature: f64,
}

impl Loss for Distilled {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        let labels = logits.dim(1)?;
        if wanted.dim(1)? == labels {
            return self.labels.mean(logits, wanted);
        }
        let own = self.labels.mean(logits, &wanted.narrow(1, 0, labels)?)?;
        let softened = log_softmax(&(logits / self.temperature)?)?;
        let taught = mean(&softened.mul(&wanted.narrow(1, labels, labels)?)?)?;
        own + (taught * self.temperature.powi(2))?
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::CrossEntropy;
    use super::*;

    fn loss(temperature: f64, logits: &Tensor, wanted: [f32; 4]) -> Tensor {
        let wanted = Tensor::new(&[wanted], &Device::Cpu).unwrap();
        let distilled = Distilled { labels: Box::new(CrossEntropy), temperature };
        distilled.mean(logits, &wanted).unwrap()
    }

    #[test]
    fn losses_are_those_counted_by_hand() {
        // Probabilities 4/5 and 1/5, and at temperature 2, the roots: 2/3 and 1/3.
        let logits = Tensor::new(&[[4f32.ln(), 0.0]], &Device::Cpu).unwrap();
        let value = |temperature, wanted| loss(temperature, &logits, wanted).to_scalar::<f32>().unwrap();
        let taught = -(0.75 * (2f32 / 3.0).ln() + 0.25 * (1f32 / 3.0).ln());
        assert!((value(2.0, [0.0, 0.0, 0.75, 0.25]) - 4.0 * taught).abs() < 1e-6);
        // Three tenths of the row are its label's.
        let expected = 0.3 * -(0.2f32.ln()) + 0.7 * 4.0 * taught;
        assert!((value(2.0, [0.0, 0.3, 0.7 * 0.75, 0.7 * 0.25]) - expected).abs() < 1e-6);
        let plain = -(0.75 * 0.8f32.ln() + 0.25 * 0.2f32.ln());
        assert!((value(1.0, [0.0, 0.0, 0.75, 0.25]) - plain).abs() < 1e-6);
        let alone = Distilled { labels: Box::new(CrossEntropy), temperature: 9.0 };
        let wanted = Tensor::new(&[[0.75f32, 0.25]], &Device::Cpu).unwrap();
        let alone = alone.mean(&logits, &wanted).unwrap().to_scalar::<f32>().unwrap();
        assert!((alone - plain).abs() < 1e-6, "a row without a teacher has its label's loss");
    }

    #[test]
    fn slopes_have_the_temperature_as_their_factor() {
        let slopes = |temperature: f64| {
            let logits = Var::new(&[[0.3f32, -0.4]], &Device::Cpu).unwrap();
            let slopes = loss(temperature, logits.as_tensor(), [0.0, 0.0, 0.9, 0.1]).backward().unwrap();
            slopes.get(&logits).unwrap().to_vec2::<f32>().unwrap()[0][0]
        };
        for temperature in [1.0f64, 2.0, 5.0] {
            // T² · (p - q) / T, with p the first label's probability at T.
            let probability = 1.0 / (1.0 + (-0.7 / temperature).exp());
            let expected = (temperature * (probability - 0.9)) as f32;
            assert!(
                (slopes(temperature) - expected).abs() < 1e-5,
                "{temperature}: {}, {expected}",
                slopes(temperature)
            );
        }
    }
}
