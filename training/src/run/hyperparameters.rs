//! How a run learns: its numbers and methods, with defaults that a file changes where it says so.

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use crate::engine::{AdapterKind, Freeze, OptimizerKind, Pooling, ScheduleKind};
use crate::trainer::Adversarial;

/// How the weights are fitted. The defaults suit a MiniLM-sized encoder and some thousand short texts.
///
/// ```toml
/// [hyperparameters]
/// optimizer = "adafactor"
/// schedule = "cosine"
/// learning_rate = 2e-4
/// accumulation = 4                                  # steps of 4 × 32 rows in the memory of 32
/// freeze = "embeddings"
/// mixup = 0.4
/// adversarial = { kind = "freelb", epsilon = 0.6, rate = 0.2, steps = 3 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hyperparameters {
    /// The most passes over the data.
    pub epochs: usize,
    /// Rows that are run at once.
    pub batch_size: usize,
    /// Batches in a step, whose gradients are added up.
    pub accumulation: usize,
    /// The rule that weights move by.
    pub optimizer: OptimizerKind,
    /// The highest rate, reached at the end of the warm-up.
    pub learning_rate: f64,
    /// How the rate falls after the warm-up.
    pub schedule: ScheduleKind,
    /// The share of steps over which the rate rises.
    pub warmup: f64,
    /// The share of its velocity that SGD keeps from step to step.
    pub momentum: f64,
    /// Whether SGD's gradient counts as if taken one step ahead.
    pub nesterov: bool,
    /// The decoupled decay; biases and layer norms have none.
    pub weight_decay: f64,
    /// Each lower layer's rate is its upper neighbour's times this; 1 for equal rates.
    pub layer_decay: f64,
    /// How the tokens' vectors become the text's, which a head reads: where it is not set, as the base says, and else by the
    /// `"pooler"`, or in a run with `few_shot` by their `"mean"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Whether the encoder is told how words are written, in small letters, with a capital, in capitals throughout or otherwise, by
    /// their tokens' type: an uncased one finds more names so. It is of tasks of tokens, and served by our ONNX alone.
    pub word_shapes: bool,
    /// What stays as it is.
    pub freeze: Freeze,
    /// What learns in the stead of the encoder, which then is frozen as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterKind>,
    /// The share of values that dropout sets to zero.
    pub dropout: f64,
    /// The share of the target that is spread over all labels.
    pub label_smoothing: f64,
    /// The weight of R-Drop: each row is run twice and the two answers are drawn together. 0 runs each row once.
    pub r_drop: f64,
    /// How evenly mixup blends pairs of rows, the α of its Beta distribution. 0 blends none.
    pub mixup: f64,
    /// How word vectors are moved to where the loss is higher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adversarial: Option<Adversarial>,
    /// The largest global norm of a step's gradient.
    pub gradient_norm: f64,
    /// The share of the running average of weights that each step keeps; what is validated and kept is the average.
    /// 0 keeps the weights themselves.
    pub weight_average: f64,
    /// How often the weights are fitted anew from where they began, with the rows in other orders and other dropout; what is kept
    /// is the mean of what the fits end with (Wortsman and others, "Model soups", 2022). Each takes `epochs`, to the end.
    pub soup: usize,
    /// Epochs without a better validation score before training stops.
    pub patience: usize,
    /// How tasks whose rows differ share the steps: 1 by their sizes, towards 0 evenly.
    pub task_temperature: f64,
    /// The most tokens of a text; the rest is cut.
    pub max_tokens: usize,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 32,
            accumulation: 1,
            optimizer: OptimizerKind::default(),
            learning_rate: 8e-5,
            schedule: ScheduleKind::default(),
            warmup: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.01,
            layer_decay: 1.0,
            pooling: None,
            word_shapes: false,
            freeze: Freeze::default(),
            adapter: None,
            dropout: 0.1,
            label_smoothing: 0.05,
            r_drop: 1.0,
            mixup: 0.0,
            adversarial: None,
            gradient_norm: 1.0,
            weight_average: 0.99,
            soup: 1,
            patience: 3,
            task_temperature: 1.0,
            max_tokens: 128,
        }
    }
}

impl Hyperparameters {
    pub(super) fn validate(&self) -> Result<(), ConfigurationError> {
        let checks = [
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", (1..=4096).contains(&self.batch_size), "must be 1 to 4096"),
            ("accumulation", (1..=4096).contains(&self.accumulation), "must be 1 to 4096"),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate < 1.0, "must be above 0 and below 1"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "must be 0 to below 1"),
            ("momentum", (0.0..1.0).contains(&self.momentum), "must be 0 to below 1"),
            ("weight_decay", (0.0..=1.0).contains(&self.weight_decay), "must be 0 to 1"),
            ("layer_decay", self.layer_decay > 0.0 && self.layer_decay <= 1.0, "must be above 0 and at most 1"),
            ("dropout", (0.0..0.9).contains(&self.dropout), "must be 0 to below 0.9"),
            ("label_smoothing", (0.0..0.9).contains(&self.label_smoothing), "must be 0 to below 0.9"),
            ("r_drop", (0.0..=100.0).contains(&self.r_drop), "must be 0 to 100"),
            ("mixup", (0.0..=10.0).contains(&self.mixup), "must be 0 to 10"),
            ("gradient_norm", self.gradient_norm > 0.0, "must be above 0"),
            ("weight_average", (0.0..1.0).contains(&self.weight_average), "must be 0 to below 1"),
            ("soup", (1..=100).contains(&self.soup), "must be 1 to 100"),
            (
                "soup",
                self.soup == 1 || self.adapter.is_none(),
                "must be 1 with `adapter`: the mean of two low-rank factors is not that of their products",
            ),
            ("patience", self.patience >= 1, "must be at least 1"),
            ("task_temperature", (0.0..=1.0).contains(&self.task_temperature), "must be 0 to 1"),
            ("max_tokens", (8..=8192).contains(&self.max_tokens), "must be 8 to 8192"),
        ];
        let wrong = checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message));
        let fault = || self.adversarial.as_ref()?.fault().map(|message| ("adversarial", message));
        let adapter_fault = || {
            let fault = self.adapter.as_ref()?.fault();
            let frozen = (self.freeze != Freeze::default()).then_some("freezes all of the encoder; leave out `freeze`");
            fault.or(frozen).map(|message| ("adapter", message))
        };
        match wrong.or_else(fault).or_else(adapter_fault) {
            Some((key, message)) => Err(ConfigurationError::invalid(format!("hyperparameters.{key}"), message)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Frozen;
    use crate::trainer::FreeLb;

    fn read(text: &str) -> Result<Hyperparameters, ConfigurationError> {
        let settings: Hyperparameters = foundation::configuration::parse_toml(text, std::path::Path::new("run.toml"))?;
        settings.validate()?;
        Ok(settings)
    }

    #[test]
    fn methods_are_chosen_by_name() {
        let text = "optimizer = \"adafactor\"\nschedule = \"one-cycle\"\nfreeze = \"bitfit\"\naccumulation = 4\nmixup = 0.4\n\
                    adversarial = { kind = \"freelb\", steps = 2 }\n";
        let expected = Hyperparameters {
            optimizer: OptimizerKind::Adafactor,
            schedule: ScheduleKind::OneCycle,
            freeze: Freeze::Named(Frozen::BitFit),
            accumulation: 4,
            mixup: 0.4,
            adversarial: Some(Adversarial::FreeLb(FreeLb { steps: 2, ..FreeLb::default() })),
            ..Hyperparameters::default()
        };
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("").unwrap(), Hyperparameters::default());
    }

    #[test]
    fn a_report_keeps_what_a_file_said() {
        for text in [
            "freeze = 3\noptimizer = \"sgd\"\n",
            "adversarial = { kind = \"pgd\", epsilon = 2.0 }\n",
            "adapter = { kind = \"lora\", rank = 8, alpha = 16.0, targets = [\"query\", \"attention-output\"] }\n",
            "adapter = { kind = \"adalora\", rank = 12, target_rank = 8, targets = [\"query\", \"intermediate\"] }\n",
            "adapter = { kind = \"bottleneck\", size = 32 }\n",
            "adapter = { kind = \"prefix\", length = 16 }\n",
            "adapter = { kind = \"prompt\" }\n",
            "pooling = \"mean\"\n",
            "",
        ] {
            let settings = read(text).unwrap();
            let written = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<Hyperparameters>(&written).unwrap(), settings, "{written}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_the_key() {
        let check = |text: &str, expected: &str| {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?} gave {message}");
        };
        check("optimizer = \"adam\"\n", "adamw");
        check("schedule = \"step\"\n", "one-cycle");
        check("freeze = \"heads\"\n", "a number of layers");
        check("freeze = -1\n", "a number of layers");
        check("accumulation = 0\n", "hyperparameters.accumulation");
        check("momentum = 1.0\n", "hyperparameters.momentum");
        check("mixup = nan\n", "hyperparameters.mixup");
        check("soup = 0\n", "hyperparameters.soup");
        check("soup = 2\nadapter = { kind = \"lora\" }\n", "hyperparameters.soup");
        check("adversarial = { kind = \"fgm\", epsilon = 0.0 }\n", "hyperparameters.adversarial");
        check("adversarial = { kind = \"freelb\", steps = 1 }\n", "hyperparameters.adversarial");
        check("adversarial = { kind = \"fgm\", steps = 2 }\n", "steps");
        check("adversarial = { kind = \"smart\" }\n", "freelb");
        check("adapter = { kind = \"lora\", rank = 0 }\n", "hyperparameters.adapter");
        check("adapter = { kind = \"lora\", alpha = nan }\n", "alpha");
        check("adapter = { kind = \"lora\", targets = [] }\n", "targets");
        check("adapter = { kind = \"lora\", targets = [\"key\", \"key\"] }\n", "none twice");
        check("adapter = { kind = \"lora\", targets = [\"keys\"] }\n", "attention-output");
        check("adapter = { kind = \"lora\", dropout = 0.1 }\n", "dropout");
        check("adapter = { kind = \"adalora\", target_rank = 13 }\n", "target_rank");
        check("adapter = { kind = \"adalora\", start = 0.6, settle = 0.4 }\n", "settle");
        check("adapter = { kind = \"adalora\", interval = 0 }\n", "interval");
        check("adapter = { kind = \"adalora\", orthogonality = -1.0 }\n", "orthogonality");
        check("adapter = { kind = \"bottleneck\", size = 0 }\n", "size");
        check("adapter = { kind = \"bottleneck\", rank = 3 }\n", "rank");
        check("adapter = { kind = \"prefix\", length = 0 }\n", "length");
        check("adapter = { kind = \"prompt\", length = 0 }\n", "length");
        check("adapter = { kind = \"prompt\", length = 513 }\n", "length");
        check("adapter = { kind = \"ia3\" }\n", "adalora");
        check("adapter = { kind = \"lora\" }\nfreeze = 2\n", "leave out `freeze`");
    }
}
