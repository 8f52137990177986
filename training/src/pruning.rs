//! Smaller models by leaving parts out: tokens that a feed does not use, layers, attention heads.
//!
//! Each way reads a directory, of a base encoder or of a fine-tuned model, and writes another one, which is loaded, trained and
//! served like any. A fine-tuned model has no `model.onnx` then: [`export`](crate::export::export) writes it.

mod card;
mod files;
mod heads;
mod layers;
mod vocabulary;

pub use card::{CARD_VERSION, Figures, Measures, PruningCard, PruningReport, PruningStep};
pub use heads::{HeadImportance, HeadsReport, prune_heads};
pub use layers::{DroppedLayers, LayersReport, drop_layers};
pub use vocabulary::{KeptTokens, VocabularyReport, trim_vocabulary};

#[cfg(test)]
mod tests;
