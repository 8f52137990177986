//! Everything that can go wrong between a labelled file and a trained model.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use foundation::configuration::ConfigurationError;
use foundation::{Failure, FailureKind};
use inference::TaskKind;

/// Where a row stands: `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: Arc<std::path::Path>,
    /// The line, from 1; in a Parquet file the row, from 1.
    pub line: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// Why data was refused or a training run stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The training run's own file or values are wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The rows of a query or a topic are to be read before anybody has fetched them.
    #[error("{name}: the rows are not here; fetch them into a file first, as `pulsewire data clean --out FILE` does")]
    NotFetched {
        /// The query or the topic.
        name: String,
    },
    /// The file's name does not tell its format.
    #[error("{}: the ending tells no format; set `format` to csv, tsv, ndjson, parquet, separated or conll", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A column that the source names is not in the file.
    #[error("{}: there is no column {wanted:?}; the columns are {}", path.display(), quoted(found))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        wanted: String,
        /// The columns there are.
        found: Vec<String>,
    },
    /// One row is malformed.
    #[error("{at}: {field}: {message}")]
    Row {
        /// File and line.
        at: Location,
        /// The column, key or part.
        field: String,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// A Parquet file is broken or has a column of an unfit type.
    #[error("{}: not a readable Parquet file", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A label that the model or the training data does not have.
    #[error("{at}: unknown label {label:?}; the labels are {}", quoted(known))]
    UnknownLabel {
        /// File and line.
        at: Location,
        /// The label.
        label: String,
        /// The labels there are.
        known: Vec<String>,
    },
    /// Two labels that only differ in case or inner spaces.
    #[error("{second_at}: label {second:?} looks like {first:?} of {first_at}; write both alike, or rename one")]
    LookAlikeLabels {
        /// The label met first.
        first: String,
        /// Where it was met.
        first_at: Location,
        /// The label that looks like it.
        second: String,
        /// Where that one was met.
        second_at: Location,
    },
    /// A label has too few rows to be learned and measured.
    #[error(
        "task {task:?}: label {label:?} has {rows} distinct rows, at least {minimum} are needed (add rows, or drop the label)"
    )]
    TooFewRows {
        /// The task.
        task: String,
        /// The label.
        label: String,
        /// Its rows after cleaning.
        rows: usize,
        /// What is needed.
        minimum: usize,
    },
    /// There is not enough to learn from, or no difference in it.
    #[error("task {task:?}: {message}")]
    NothingToLearn {
        /// The task.
        task: String,
        /// What is missing and what would mend it.
        message: String,
    },
    /// A split gives a side nothing, or leaves a label nothing to learn from.
    #[error("task {task:?}: {message}")]
    Split {
        /// The task.
        task: String,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// A label has too few rows to have one in every fold.
    #[error(
        "task {task:?}: label {label:?} has {rows} rows, fewer than the {folds} folds; ask for fewer folds, or add rows"
    )]
    FewerRowsThanFolds {
        /// The task.
        task: String,
        /// The label.
        label: String,
        /// Its rows after cleaning.
        rows: usize,
        /// The folds.
        folds: usize,
    },
    /// A file of out-of-fold rows does not go with the rest.
    #[error("{}: {message}", path.display())]
    OutOfFold {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// There is nothing to tell apart.
    #[error("task {task:?}: {} in {files}; a classifier needs at least two labels", match label { Some(label) => format!("the only label is {label:?}"), None => "there is no usable row".to_owned() })]
    OneClass {
        /// The task.
        task: String,
        /// The one label, if there is any row at all.
        label: Option<String>,
        /// The files read.
        files: String,
    },
    /// There are too few texts without labels to learn from.
    #[error("{texts} distinct texts in {files}; at least {minimum} are needed to learn from (name more files)")]
    TooFewTexts {
        /// Distinct texts.
        texts: usize,
        /// What is needed.
        minimum: usize,
        /// The files read.
        files: String,
    },
    /// There are too few pairs of queries and answers to learn from or to measure.
    #[error("{files}: {pairs} distinct pairs leave {found} {what}, at least {minimum} are needed (add pairs)")]
    TooFewPairs {
        /// The files read.
        files: String,
        /// Distinct pairs.
        pairs: usize,
        /// What there is.
        found: usize,
        /// Of what.
        what: &'static str,
        /// What is needed.
        minimum: usize,
    },
    /// The directory of a base encoder, or of a language model, is not what it should be.
    #[error("base model {}: {message}", path.display())]
    BaseEncoder {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// A command that augments texts failed.
    #[error("command {command:?} {message}{}", said_last(said))]
    Command {
        /// The program and its arguments.
        command: String,
        /// What went wrong.
        message: String,
        /// The end of what it wrote to its standard error.
        said: String,
    },
    /// A fine-tuned model's directory, of a teacher or to go on from, is not what it should be.
    #[error("fine-tuned model {}: {message}", path.display())]
    FineTuned {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// An encoder cannot be read back from ONNX.
    #[error("cannot import: {} {message}", path.display())]
    Import {
        /// The ONNX file or the tokenizer.
        path: PathBuf,
        /// What is wrong with it and what would mend it.
        message: String,
    },
    /// A part of a model cannot be left out.
    #[error("cannot prune: {}: {message}", path.display())]
    Pruning {
        /// The file that says so.
        path: PathBuf,
        /// Why, and what would mend it.
        message: String,
    },
    /// There is no text to take a vocabulary from.
    #[error(
        "there is no word in {texts} texts, so that no token of the vocabulary would stay; name files with texts like those to score"
    )]
    NoTokens {
        /// The texts there are.
        texts: usize,
    },
    /// None of the unlabelled texts, or old rows, is left to learn from.
    #[error(
        "no text of {} is left to learn from: they are empty or rows of the tasks{}; name more files",
        files.join(", "),
        match hard_above {
            Some(least) => format!(", or the teachers are surer than {least} of none (lower `hard_above`)"),
            None => String::new(),
        }
    )]
    NoTextsLeft {
        /// The files.
        files: Vec<String>,
        /// How sure teachers must be.
        hard_above: Option<f64>,
    },
    /// The loss or its gradient stopped being a number.
    #[error(
        "the loss or its gradient is not a number at step {step} (epoch {epoch}); a lower `learning_rate` or `gradient_norm` may \
         help{}",
        match checkpoint {
            Some((path, step)) => format!("; the last good checkpoint, of step {step}, is {}", path.display()),
            None => String::new(),
        }
    )]
    Diverged {
        /// The optimiser step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The last good checkpoint and the steps that it has behind it, if there is one.
        checkpoint: Option<(PathBuf, usize)>,
    },
    /// A checkpoint is damaged, or of another release's making.
    #[error(
        "checkpoint {}: {message}; nothing can go on from it: delete it (`--restart` does) to begin anew",
        path.display()
    )]
    UnusableCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A checkpoint was written by a run that computes something else.
    #[error(
        "checkpoint {} is another run's: {} differ; give those back to go on from it, or delete it (`--restart` does) to \
         begin anew",
        path.display(),
        differing.join(", ")
    )]
    AnotherRunsCheckpoint {
        /// The file.
        path: PathBuf,
        /// What the two runs differ in.
        differing: Vec<String>,
    },
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Engine(#[from] candle_core::Error),
    /// The model that is evaluated has no such head.
    #[error("the model has no head {wanted:?}; its heads are {}", quoted(found))]
    MissingHead {
        /// The head asked for.
        wanted: String,
        /// The heads there are.
        found: Vec<String>,
    },
    /// The model that is asked has no such label.
    #[error("head {head:?} has no label {wanted:?}; its labels are {}", quoted(found))]
    MissingLabel {
        /// The head.
        head: String,
        /// The label asked for.
        wanted: String,
        /// The labels there are.
        found: Vec<String>,
    },
    /// Annotators who have no unit in common.
    #[error(
        "none of {units} units has labels of two annotators ({}); is the column of ids the right one?",
        quoted(annotators)
    )]
    NoSharedUnits {
        /// What is labelled.
        units: usize,
        /// Who labels.
        annotators: Vec<String>,
    },
    /// A model that labels words has other labels than tags of entities.
    #[error(
        "the model's labels are not O and tags B-TYPE and I-TYPE, by which entities are counted: they are {}",
        quoted(labels)
    )]
    NotTags {
        /// The labels.
        labels: Vec<String>,
    },
    /// A model that labels words knows no entities of the type that is asked for.
    #[error("the model's labels have no entities of the type {kind:?}: they are {}", quoted(labels))]
    NoSuchEntities {
        /// The type.
        kind: String,
        /// The labels.
        labels: Vec<String>,
    },
    /// A head is asked for what heads of its kind cannot tell.
    #[error("head {head:?} is {kind}: {message}")]
    OtherKind {
        /// The head.
        head: String,
        /// What its answers are.
        kind: TaskKind,
        /// What was asked and what would mend it.
        message: String,
    },
    /// There is nothing to measure a model on.
    #[error("there is no row to measure: the files hold no text")]
    NoRows,
    /// The model that is evaluated gave something else than probabilities.
    #[error("{at}: head {head:?} gave no probabilities: one a label, from 0 to 1, with sum 1; export the model again")]
    NotProbabilities {
        /// File and line.
        at: Location,
        /// The head.
        head: String,
    },
    /// A tokenizer or a model that is evaluated failed.
    #[error(transparent)]
    Inference(#[from] inference::InferenceError),
    /// A model could not be exported.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// The base encoder is not installed.
    #[error(transparent)]
    Parts(#[from] foundation::parts::PartsError),
}

impl Failure for TrainingError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration(error) => error.kind(),
            Self::UnknownFormat { .. }
            | Self::MissingColumn { .. }
            | Self::MissingHead { .. }
            | Self::MissingLabel { .. }
            | Self::NotTags { .. }
            | Self::NoSuchEntities { .. }
            | Self::FineTuned { .. }
            | Self::Import { .. }
            | Self::Pruning { .. }
            | Self::NotFetched { .. }
            | Self::OtherKind { .. }
            | Self::AnotherRunsCheckpoint { .. } => FailureKind::Configuration,
            Self::Row { .. }
            | Self::UnknownLabel { .. }
            | Self::LookAlikeLabels { .. }
            | Self::TooFewRows { .. }
            | Self::TooFewTexts { .. }
            | Self::TooFewPairs { .. }
            | Self::NoTextsLeft { .. }
            | Self::NoTokens { .. }
            | Self::NothingToLearn { .. }
            | Self::Split { .. }
            | Self::FewerRowsThanFolds { .. }
            | Self::OutOfFold { .. }
            | Self::OneClass { .. }
            | Self::NoSharedUnits { .. }
            | Self::NoRows
            | Self::Command { .. }
            | Self::Unreadable { .. } => FailureKind::Input,
            Self::Parquet { .. }
            | Self::BaseEncoder { .. }
            | Self::UnusableCheckpoint { .. }
            | Self::NotProbabilities { .. } => FailureKind::Corrupt,
            Self::Inference(error) => error.kind(),
            Self::Export(error) => error.kind(),
            Self::Parts(error) => error.kind(),
            Self::Unwritable { .. } | Self::Diverged { .. } | Self::Engine(_) => FailureKind::Internal,
        }
    }
}

fn said_last(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut text = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
