//! The training engine: BERT-like encoders with classification heads, on the CPU.
//!
//! candle gives tensors, autograd and safetensors; the encoder's blocks (embedding, attention, feed-forward) and the linear
//! layer are custom operations of our own with hand-written backward passes. Rows are **packed**: the token states of a
//! batch are one matrix `[total_tokens, hidden]` without padding, with the sequences' lengths beside. A block's parameters
//! belong to the block: their gradients are added up in place, never handed to candle, and [`AdamW`] reads them there.
//!
//! Invariants: nothing here is random but by the counter-based generator in `random`; every sum over rows or chunks is taken in an order that does
//! not depend on the number of threads, so a seed gives one run.

mod activation;
mod attention;
mod buffer;
mod checkpoint;
mod classifier;
mod embedding;
mod encoder;
mod feed_forward;
mod linear;
mod loss;
mod matrix;
mod operation;
mod optimizer;
mod packing;
mod parameter;
mod residual;
mod vector;

pub use checkpoint::{EncoderConfig, Weights};
pub use classifier::Classifier;
pub use encoder::{Encoder, Mode, Tokens};
pub use loss::{Objective, likeliest};
pub use optimizer::{AdamW, OptimizerState, Schedule};
pub use packing::PackedBatch;
pub use parameter::Parameter;

#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
pub(crate) mod samples;
