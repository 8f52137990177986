//! From labelled files to a fine-tuned encoder: data, engine, recipe, report.
//!
//! [`TrainingRun`] says what to train, [`train`] does it and leaves a model directory in Hugging Face layout, [`evaluation`]
//! measures any model on any labelled file, [`cross_validate`] measures a recipe, [`search`] looks for a better one. [`adapt`] makes a base encoder of
//! unlabelled texts first, [`language_model`] one that writes texts, [`pruning`] makes models smaller. The engine in [`engine`] is
//! candle with blocks of our own.

mod adaptation;
pub mod agreement;
mod augmentation;
mod checkpoint;
mod continual;
mod cross_validation;
pub mod dataset;
mod directory;
mod distillation;
pub mod engine;
mod error;
pub mod evaluation;
pub mod explanation;
pub mod export;
mod few_shot;
mod fine_tuned;
mod import;
pub mod label_audit;
pub mod language_model;
mod metrics;
pub mod out_of_fold;
pub mod plots;
pub mod pruning;
mod random;
mod ranking;
mod report;
mod run;
pub mod search;
mod sink;
pub mod source;
mod tags;
pub mod tensorboard;
mod trainer;
mod unlabelled;

pub use adaptation::{Adaptation, AdaptationReport, AdaptationSettings, Guessing, PairTask, adapt, adapt_resumably};
pub use augmentation::{AugmentRequest, Augmentation, AugmentationKind, augment};
pub use checkpoint::{Checkpoints, Pace};
pub use continual::Continual;
pub use cross_validation::{CrossValidationRequest, cross_validate};
pub use dataset::{CleaningRules, LabelNames, LabelReading, LabelSet, Row, read_rows};
pub use distillation::{Distillation, Unlabelled};
pub use engine::{AdapterKind, Freeze, Frozen, LossKind, OptimizerKind, Pooling, ScheduleKind};
pub use error::{Location, TrainingError};
pub use evaluation::{Evaluation, predict};
pub use few_shot::FewShot;
pub use import::{ImportReport, import_onnx};
pub use metrics::{
    EntityReport, EvaluationReport, HeadReport, LabelMetrics, MultiLabelReport, RegressionReport, RetrievalReport,
};
pub use ranking::{RankingEpoch, RankingReport, RankingRun, RankingSettings, train_ranking, train_ranking_resumably};
pub use report::{EpochReport, TaskReport, TrainingReport};
pub use run::{Hyperparameters, Split, SplitBy, Task, TaskKind, TextRun, TextSettings, TrainingRun};
pub use sink::DataSink;
pub use source::{Agreement, DataSource, Encoding, Format, Remote};
pub use trainer::{Adversarial, CurvePoint, Fgm, FreeLb, Pgd, TrainedModel, Watcher, train, train_resumably};
