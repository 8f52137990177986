//! Parameters that stay as they are.

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use super::parameter::Parameter;

/// What is not trained: `freeze = "embeddings"`, `freeze = 4`, `freeze = "bitfit"`. The pooler and the heads always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"nothing\", \"embeddings\", \"bitfit\" or a number of layers")]
pub enum Freeze {
    /// The embeddings and this many of the lowest layers.
    Layers(usize),
    /// What has a name.
    Named(Frozen),
}

/// What can be frozen by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frozen {
    /// All is trained.
    Nothing,
    /// The word, position and type tables with their layer norm.
    Embeddings,
    /// All of the encoder but its biases (Ben Zaken and others, "BitFit", 2022). Wants a rate some ten times higher.
    BitFit,
}

impl Default for Freeze {
    fn default() -> Self {
        Self::Named(Frozen::Nothing)
    }
}

impl Freeze {
    /// Refuses more layers than the encoder has.
    pub(crate) fn check(self, layers: usize) -> Result<(), ConfigurationError> {
        match self {
            Self::Layers(frozen) if frozen > layers => {
                Err(ConfigurationError::invalid("hyperparameters.freeze", format!("the encoder has {layers} layers")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a parameter stays as it is, in a model whose heads have the depth `top`.
    pub(super) fn holds(self, parameter: &Parameter, top: usize) -> bool {
        let frozen = match self {
            Self::Layers(layers) => parameter.depth() <= layers,
            Self::Named(Frozen::Nothing) => false,
            Self::Named(Frozen::Embeddings) => parameter.depth() == 0,
            Self::Named(Frozen::BitFit) => !parameter.name().ends_with(".bias"),
        };
        frozen && parameter.depth() < top
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::samples::{self, batch, classifier};
    use crate::engine::{Encoder, Mode, Tokens};

    #[test]
    fn a_run_says_what_is_frozen() {
        let read = |text: &str| serde_json::from_str::<Freeze>(text);
        assert_eq!(read("\"nothing\"").unwrap(), Freeze::default());
        assert_eq!(read("\"embeddings\"").unwrap(), Freeze::Named(Frozen::Embeddings));
        assert_eq!(read("3").unwrap(), Freeze::Layers(3));
        let error = Freeze::Layers(3).check(2).unwrap_err().to_string();
        assert!(error.contains("the encoder has 2 layers") && Freeze::Layers(2).check(2).is_ok(), "{error}");
        assert!(read("\"heads\"").unwrap_err().to_string().contains("\"bitfit\" or a number of layers"));
    }

    /// The gradients that there are, by parameter.
    fn gradients(freeze: Freeze) -> BTreeMap<String, Vec<f32>> {
        let model = classifier();
        model.freeze(freeze);
        let pooled = model.encode(&batch(), Mode::Training { seed: 1, step: 2, dropout: 0.1 }).unwrap();
        model.logits(&pooled, 0).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let learning = model.parameters().into_iter().filter(|parameter| parameter.has_gradient());
        learning.map(|parameter| (parameter.name().to_owned(), parameter.gradient().values.clone())).collect()
    }

    #[test]
    fn what_is_not_frozen_gets_the_same_gradient_and_what_is_none() {
        let all = gradients(Freeze::default());
        let check = |freeze: Freeze, learns: fn(&str) -> bool| {
            let expected: BTreeMap<_, _> = all.clone().into_iter().filter(|(name, _)| learns(name)).collect();
            assert!(expected.len() < all.len());
            assert!(gradients(freeze) == expected, "{freeze:?}");
        };
        fn in_head(name: &str) -> bool {
            name.starts_with("pooler") || name.starts_with("classifier.0")
        }
        check(Freeze::Named(Frozen::Embeddings), |name| !name.starts_with("embeddings"));
        check(Freeze::Layers(1), |name| !name.starts_with("embeddings") && !name.contains("layer.0"));
        check(Freeze::Layers(2), in_head);
        check(Freeze::Named(Frozen::BitFit), |name| name.ends_with(".bias") || in_head(name));
    }

    #[test]
    fn frozen_blocks_below_all_that_learns_leave_nothing_to_go_back_through() {
        let config = samples::config();
        let encoder = Encoder::new(&config, &samples::weights(&config)).unwrap();
        let mode = Mode::Training { seed: 1, step: 2, dropout: 0.1 };
        let goes_back = || encoder.states(&batch(), Tokens::All, mode).unwrap().track_op();
        assert!(goes_back());
        encoder.parameters().iter().for_each(|parameter| parameter.set_learning(false));
        assert!(!goes_back());
    }
}
