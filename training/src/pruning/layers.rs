//! Layers left out. The highest matter least to most tasks (Sajjad and others, "On the Effect of Dropping Layers of Pre-trained
//! Transformer Models", 2023); to leave out every other one is the simplest of choices (Fan and others, "Reducing Transformer
//! Depth on Demand with Structured Dropout", 2020). A base encoder is best cut before it is fine-tuned, which then makes up for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, json};

use super::files::{ModelFiles, layer_of};
use crate::engine::PrunedHeads;
use crate::error::TrainingError;

/// Which layers go; the lowest is 0, as in the names of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DroppedLayers {
    /// So many of the highest: `top:2`.
    Top(usize),
    /// Every second one, the lowest of all stays: `every-other`.
    EveryOther,
    /// These: `3,5`.
    Listed(BTreeSet<usize>),
}

/// What became of the layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayersReport {
    /// How many there were.
    pub before: usize,
    /// Those that are left, by the numbers that they had.
    pub kept: Vec<usize>,
}

impl DroppedLayers {
    fn has(&self, layer: usize, layers: usize) -> bool {
        match self {
            Self::Top(count) => layer + count >= layers,
            Self::EveryOther => layer % 2 == 1,
            Self::Listed(listed) => listed.contains(&layer),
        }
    }
}

impl FromStr for DroppedLayers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no choice of layers: write top:2, every-other or, counted from 0, 3,5");
        match text.strip_prefix("top:") {
            Some(count) => count.parse().map(Self::Top).map_err(|_| wrong()),
            None if text == "every-other" => Ok(Self::EveryOther),
            None => {
                let listed = text.split(',').map(|layer| layer.trim().parse());
                listed.collect::<Result<_, _>>().map(Self::Listed).map_err(|_| wrong())
            }
        }
    }
}

/// Writes the model of `source` into `target` without some of its layers.
///
/// # Errors
///
/// [`TrainingError::Pruning`] if it lacks one of the layers or would keep none, and what reading and writing say.
pub fn drop_layers(source: &Path, target: &Path, dropped: &DroppedLayers) -> Result<LayersReport, TrainingError> {
    let mut files = ModelFiles::read(source)?;
    let before = files.config.num_hidden_layers;
    let refused = |message: String| Err(files.refused("config.json", message));
    if let DroppedLayers::Listed(listed) = dropped
        && let Some(missing) = listed.iter().find(|layer| **layer >= before)
    {
        return refused(format!("there is no layer {missing}: the {before} layers are counted from 0"));
    }
    let kept: Vec<usize> = (0..before).filter(|layer| !dropped.has(*layer, before)).collect();
    if kept.is_empty() {
        return refused(format!("no layer of {before} would be left: drop fewer"));
    }
    let new_number = |old: usize| kept.binary_search(&old).ok();
    files.tensors = std::mem::take(&mut files.tensors)
        .into_iter()
        .filter_map(|mut tensor| {
            if let Some((layer, part)) = layer_of(&tensor.name) {
                let before = &tensor.name[..tensor.name.len() - part.len() - layer.to_string().len() - 1];
                tensor.name = format!("{before}{}.{part}", new_number(layer)?);
            }
            Some(tensor)
        })
        .collect();
    let mut changes = Map::from_iter([("num_hidden_layers".to_owned(), json!(kept.len()))]);
    let pruned = files.config.pruned_heads.0.iter();
    let pruned: BTreeMap<_, _> =
        pruned.filter_map(|(layer, heads)| Some((new_number(*layer)?, heads.clone()))).collect();
    if !files.config.pruned_heads.0.is_empty() {
        changes.insert("pruned_heads".to_owned(), json!(PrunedHeads(pruned)));
    }
    files.write(target, changes)?;
    Ok(LayersReport { before, kept })
}
