//! The directory of a fine-tuned model, to be asked or gone on from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inference::{Head, TextTokenizer};
use serde::Deserialize;
use serde_json::Value;

use crate::dataset::{self, TaskData};
use crate::directory::read_json;
use crate::engine::{Classifier, EncoderConfig, Weights};
use crate::error::TrainingError;

/// What a head is called where `config.json` does not name it.
const ONLY_HEAD: &str = "label";

/// A model directory as [`train`](crate::train) leaves it, or a BERT classifier of Hugging Face's layout.
#[derive(Debug)]
pub(crate) struct FineTuned {
    pub(crate) path: PathBuf,
    pub(crate) config: EncoderConfig,
    pub(crate) heads: Vec<Head>,
}

impl FineTuned {
    /// Reads the configuration alone.
    pub(crate) fn open(path: &Path) -> Result<Self, TrainingError> {
        let config = EncoderConfig::load(path)?;
        let heads =
            heads(&config).map_err(|message| TrainingError::FineTuned { path: path.join("config.json"), message })?;
        Ok(Self { path: path.to_owned(), config, heads })
    }

    /// The whole model.
    pub(crate) fn classifier(&self) -> Result<Classifier, TrainingError> {
        let weights = Weights::load(&self.path)?;
        let labels: Vec<usize> = self.heads.iter().map(|head| head.labels.len()).collect();
        let classifier = Classifier::new(&self.config, &weights, &labels, 0)?;
        self.hand_over(&weights, &classifier, |head, label| Some((head, label)))?;
        Ok(classifier)
    }

    /// Gives its heads' weights to `classifier`, label by label: `place` says which head and label of that one a head and label
    /// of this model become, by their indices.
    pub(crate) fn hand_over(
        &self,
        weights: &Weights,
        classifier: &Classifier,
        place: impl Fn(usize, usize) -> Option<(usize, usize)>,
    ) -> Result<(), TrainingError> {
        let hidden = self.config.hidden_size;
        let labels =
            || self.heads.iter().enumerate().flat_map(|(at, head)| (0..head.labels.len()).map(move |l| (at, l)));
        let rows = weights.values("classifier.weight", &[labels().count(), hidden])?;
        let biases = weights.values("classifier.bias", &[labels().count()])?;
        for (((head, label), row), bias) in labels().zip(rows.chunks_exact(hidden)).zip(biases) {
            if let Some((head, label)) = place(head, label) {
                classifier.set_label(head, label, row, bias);
            }
        }
        Ok(())
    }

    /// The tokenizer, which cleans texts as the model's own training did.
    pub(crate) fn tokenizer(&self) -> Result<TextTokenizer, TrainingError> {
        let longest = Some(self.config.max_position_embeddings);
        let tokenizer = TextTokenizer::open(&self.path.join("tokenizer.json"), longest)?.of_pairs(self.takes_pairs());
        Ok(tokenizer.of_cleaning(self.config.text_cleaning))
    }

    /// Refuses rows that are pairs where the model reads texts, and texts where it reads pairs.
    pub(crate) fn check_reading(&self, data: &[TaskData]) -> Result<(), TrainingError> {
        let message = match (self.takes_pairs(), dataset::are_pairs(data)) {
            (true, false) => "reads pairs of texts; name the column of the rows' second text as `text_pair`",
            (false, true) => {
                "reads texts, and the rows are pairs of them; leave out `text_pair`, or take another model"
            }
            _ => return Ok(()),
        };
        Err(TrainingError::FineTuned { path: self.path.clone(), message: message.to_owned() })
    }

    fn takes_pairs(&self) -> bool {
        self.config.raw.get("text_pair").and_then(Value::as_bool).unwrap_or(false)
    }

    /// What `report.json` says of the rows that it was trained on; none without that file.
    pub(crate) fn data_digest(&self) -> Option<String> {
        let report = read_json(&self.path.join("report.json")).ok()?;
        report.get("data_digest").and_then(Value::as_str).map(str::to_owned)
    }
}

/// The heads that a configuration names; a plain classifier's labels are one head.
fn heads(config: &EncoderConfig) -> Result<Vec<Head>, String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        architectures: Vec<String>,
        id2label: Option<BTreeMap<usize, String>>,
        heads: Option<Vec<Head>>,
    }
    let named: Named = serde_json::from_value(Value::Object(config.raw.clone())).map_err(|error| error.to_string())?;
    if named.architectures.iter().any(|name| name.ends_with("ForTokenClassification")) {
        return Err("labels the words of texts; only a model that labels texts can teach or be gone on from".to_owned());
    }
    let heads = match (named.heads, named.id2label) {
        (Some(heads), _) => heads,
        (None, Some(labels)) => vec![Head::new(ONLY_HEAD, labels.into_values())],
        (None, None) => Vec::new(),
    };
    match heads.iter().all(|head| head.labels.len() < 2) {
        true => Err("names no labels: this is an encoder, not a fine-tuned model".to_owned()),
        false => Ok(heads),
    }
}
