//! From the vectors of a text's tokens to the one that heads read.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::operation::{Block, tensor, values, with_values};
use super::packing::PackedBatch;
use super::parameter::Parameter;
use super::vector::add_rows;

/// How the tokens' vectors become the text's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first token's vector through a dense layer and tanh, as BERT does it.
    #[default]
    Pooler,
    /// The first token's vector as it is.
    Cls,
    /// The mean over all tokens, as encoders of sentences do it (Reimers and Gurevych, "Sentence-BERT", 2019).
    Mean,
}

/// The mean of each sequence's states: from `[tokens, hidden]` to `[rows, hidden]`.
#[derive(Debug)]
pub(super) struct MeanBlock {
    pub(super) batch: Arc<PackedBatch>,
}

impl Block for MeanBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        Vec::new()
    }
}

impl CustomOp1 for MeanBlock {
    fn name(&self) -> &'static str {
        "mean pooling"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (input, tokens) = (values(input, layout)?, self.batch.tokens().len());
        if tokens == 0 || !input.len().is_multiple_of(tokens) {
            bail!("{}: {} values for {tokens} tokens", self.name(), input.len());
        }
        let width = input.len() / tokens;
        let mut output = vec![0.0; self.batch.rows() * width];
        for (mean, span) in output.chunks_exact_mut(width).zip(self.batch.spans()) {
            add_rows(mean, &input[span.start * width..span.end * width]);
            mean.iter_mut().for_each(|value| *value /= span.len() as f32);
        }
        Ok((CpuStorage::F32(output), Shape::from((self.batch.rows(), width))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let width = gradient.dim(1)?;
        let mut input_gradient = Vec::with_capacity(input.elem_count());
        with_values(gradient, |gradient| {
            for (slope, span) in gradient.chunks_exact(width).zip(self.batch.spans()) {
                let share = 1.0 / span.len() as f32;
                span.for_each(|_| input_gradient.extend(slope.iter().map(|value| value * share)));
            }
        })?;
        tensor(input_gradient, input.dims()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::gradient_tests::check_slopes;
    use super::super::samples::{batch, config, weights};
    use super::super::{AdapterKind, Classifier, EncoderConfig, Mode, Prompt};
    use super::*;

    fn classifier(pooling: Pooling) -> Classifier {
        let config = EncoderConfig { pooling: Some(pooling), ..config() };
        Classifier::new(&config, &weights(&config), &[3, 4], 5).unwrap()
    }

    #[test]
    fn means_and_their_slopes_are_those_counted_by_hand() {
        let batch = Arc::new(PackedBatch::new([[1u32, 2].as_slice(), &[3], &[4, 5, 6, 7]]));
        let states = Var::new(
            &[[1f32, 2.0], [3.0, -4.0], [5.0, 6.0], [0.0, 1.0], [0.0, 3.0], [4.0, 0.0], [0.0, 0.0]],
            &Device::Cpu,
        )
        .unwrap();
        let mode = Mode::Training { seed: 1, step: 0, dropout: 0.0 };
        let means = mode.apply(&states, MeanBlock { batch: batch.clone() }).unwrap();
        assert_eq!(means.to_vec2::<f32>().unwrap(), [[2.0, -1.0], [5.0, 6.0], [1.0, 1.0]]);
        let weights = Tensor::new(&[[2f32, 4.0], [8.0, 1.0], [4.0, 0.0]], &Device::Cpu).unwrap();
        let slopes = means.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let slopes: Vec<Vec<f32>> = slopes.get(&states).unwrap().to_vec2().unwrap();
        let expected = [[1.0, 2.0], [1.0, 2.0], [8.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]];
        assert_eq!(slopes, expected);
        let short = states.narrow(0, 0, 5).unwrap();
        assert!(mode.apply(&short, MeanBlock { batch }).unwrap_err().to_string().contains("10 values for 7 tokens"));
    }

    #[test]
    fn gradients_of_every_pooling_agree_with_finite_differences() {
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let model = classifier(pooling);
            assert!(model.parameters().iter().all(|parameter| !parameter.name().starts_with("pooler")));
            check_slopes(&model, &model.parameters(), Mode::Training { seed: 1, step: 2, dropout: 0.1 });
        }
    }

    #[test]
    fn vectors_before_a_text_are_none_of_its_tokens() {
        let mut model = classifier(Pooling::Mean);
        model.adapt(&AdapterKind::Prompt(Prompt { length: 3 }), 1);
        let means = model.encode(&batch(), Mode::Evaluation).unwrap();
        let one = Arc::new(PackedBatch::new([[1u32, 4, 7, 2].as_slice()]));
        let alone = model.encode(&one, Mode::Evaluation).unwrap();
        assert_eq!((means.dims(), alone.dims()), (&[4, 18][..], &[1, 18][..]));
        let apart = (means.narrow(0, 0, 1).unwrap() - alone).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 1e-5);
    }
}
