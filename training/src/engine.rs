//! The training engine: BERT-like encoders with heads for classes or for hidden words, and GPT-2-like decoders, on the CPU.
//!
//! candle gives tensors, autograd and safetensors; the encoder's blocks (embedding, attention, feed-forward) and the linear
//! layer are custom operations of our own with hand-written backward passes. Rows are **packed**: the token states of a
//! batch are one matrix `[total_tokens, hidden]` without padding, with the sequences' lengths beside. A block's parameters
//! belong to the block: their gradients are added up in place, never handed to candle, and the [`Optimizer`] reads them there.
//!
//! Invariants: nothing here is random but by the counter-based generator in `random`; every sum over rows or chunks is taken in an order that does
//! not depend on the number of threads, so a seed gives one run.

mod activation;
mod adapter;
mod attention;
mod buffer;
mod checkpoint;
mod classifier;
mod consolidation;
mod decoder;
mod embedding;
mod encoder;
mod feed_forward;
mod freeze;
mod head_slopes;
mod linear;
mod loss;
mod masked;
mod matrix;
mod operation;
mod optimizer;
mod packing;
mod parameter;
mod pooling;
mod prediction;
mod pruned_heads;
mod residual;
mod schedule;
mod sensitivity;
mod vector;

pub use adapter::{AdaLora, AdapterKind, Bottleneck, Lora, Prefix, Prompt, Target};
pub(crate) use checkpoint::OWN_TYPE;
pub use checkpoint::{EncoderConfig, Weights};
pub(crate) use checkpoint::{NamedTensor, write as write_tensors};
pub use classifier::{Classifier, ParameterCounts};
pub use consolidation::Consolidation;
pub use decoder::{Decoder, DecoderConfig, Memory, fresh_weights};
pub use encoder::{Encoder, Mode, Tokens};
pub use freeze::{Freeze, Frozen};
pub(crate) use loss::unit;
pub use loss::{
    BinaryCrossEntropy, BinaryFocal, ClassBalanced, CrossEntropy, Distilled, Focal, InfoNce, Loss, LossKind,
    MultipleNegatives, Objective, SquaredError, Weighted,
};
pub use masked::{Guess, MaskedLanguageModel, Told};
pub use optimizer::{Optimizer, OptimizerKind, OptimizerState};
pub use packing::{PackedBatch, Sequence};
pub use parameter::Parameter;
pub use pooling::Pooling;
pub use pruned_heads::PrunedHeads;
pub use schedule::{Schedule, ScheduleKind};
pub(crate) use sensitivity::Answer;

#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod word_tests;
