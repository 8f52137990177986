//! From labelled files to a fine-tuned encoder: data, engine, recipe, report.
//!
//! [`TrainingRun`] says what to train, [`train`] does it and leaves a model directory in Hugging Face layout, [`evaluation`]
//! measures any model on any labelled file. The engine in [`engine`] is candle with blocks of our own.

pub mod dataset;
pub mod engine;
mod error;
pub mod evaluation;
pub mod export;
mod metrics;
mod random;
mod report;
mod run;
pub mod source;
mod trainer;

pub use dataset::{LabelNames, LabelSet, Row, read_rows};
pub use error::{Location, TrainingError};
pub use evaluation::{Evaluation, predict};
pub use metrics::{EvaluationReport, LabelMetrics};
pub use report::{EpochReport, TaskReport, TrainingReport};
pub use run::{Hyperparameters, Split, SplitBy, Task, TrainingRun};
pub use source::{DataSource, Encoding, Format};
pub use trainer::{TrainedModel, train};
