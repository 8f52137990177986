//! The decoder's embedding block: word and position summed, dropout.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::engine::embedding::scatter;
use crate::engine::operation::{Block, with_values};
use crate::engine::packing::PackedBatch;
use crate::engine::parameter::Parameter;
use crate::engine::residual::drop_rows;
use crate::engine::vector::add;
use crate::random::Dropout;

/// The block's parameters.
#[derive(Debug)]
pub(super) struct TokenEmbedding {
    /// `[vocabulary, hidden]`, which is the output's matrix too.
    pub(super) words: Parameter,
    /// `[positions, hidden]`.
    pub(super) positions: Parameter,
}

/// One application of the block. Its tensor argument carries no value.
#[derive(Debug)]
pub(super) struct TokenBlock {
    pub(super) parameters: Arc<TokenEmbedding>,
    pub(super) batch: Arc<PackedBatch>,
    /// The position of each sequence's first token.
    pub(super) first: usize,
    pub(super) dropout: Dropout,
}

impl TokenBlock {
    /// The rows of words and of positions.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let positions = self.batch.positions().into_iter().map(|position| self.first + position);
        self.batch.tokens().iter().map(|token| *token as usize).zip(positions)
    }
}

impl Block for TokenBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.parameters.words, &self.parameters.positions]
    }
}

impl CustomOp1 for TokenBlock {
    fn name(&self) -> &'static str {
        "token embedding block"
    }

    fn cpu_fwd(&self, _anchor: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let TokenEmbedding { words, positions } = &*self.parameters;
        let (width, known, longest) = (words.shape()[1], words.shape()[0], positions.shape()[0]);
        let (words, positions) = (words.value(), positions.value());
        let mut output = Vec::with_capacity(self.batch.tokens().len() * width);
        for (word, position) in self.rows() {
            if word >= known || position >= longest {
                bail!("token {word} at position {position}: there are {known} words and {longest} positions");
            }
            let start = output.len();
            output.extend_from_slice(&words[word * width..][..width]);
            add(&mut output[start..], &positions[position * width..][..width]);
        }
        drop_rows(&mut output, width, self.dropout);
        Ok((CpuStorage::F32(output), Shape::from((self.batch.tokens().len(), width))))
    }

    fn bwd(&self, _anchor: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let TokenEmbedding { words, positions } = &*self.parameters;
        let mut rows = with_values(gradient, <[f32]>::to_vec)?;
        drop_rows(&mut rows, words.shape()[1], self.dropout);
        scatter(&rows, words, self.rows().map(|(word, _)| word));
        scatter(&rows, positions, self.rows().map(|(_, position)| position));
        Ok(None)
    }
}
