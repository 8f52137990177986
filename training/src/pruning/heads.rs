//! Attention heads left out, those first that the loss depends on least (Michel and others, "Are Sixteen Heads Really Better
//! than One?", 2019).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use foundation::progress::{Progress, Unit};
use serde::Serialize;
use serde_json::{Map, json};

use super::files::{ModelFiles, keep_rows, layer_of};
use crate::dataset::{Row, Target};
use crate::engine::{CrossEntropy, Mode, NamedTensor, Objective, PackedBatch, PrunedHeads};
use crate::error::TrainingError;
use crate::evaluation::choose_head;
use crate::fine_tuned::FineTuned;
use crate::run::TaskKind;

/// The most rows that heads are weighed on; more change little.
const MOST_ROWS: usize = 512;

/// What became of the attention heads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadsReport {
    /// The labelled rows that they were weighed on.
    pub rows: usize,
    /// All of them, layer by layer.
    pub heads: Vec<HeadImportance>,
}

/// How much the answers depend on an attention head.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadImportance {
    /// The layer, from 0.
    pub layer: usize,
    /// Its number in the whole layer, from 0.
    pub head: usize,
    /// The mean over texts of the size of the loss' slope in a factor on the head; the squares of a layer's add up to 1.
    pub importance: f64,
    /// Whether it is gone.
    pub pruned: bool,
}

/// Writes the fine-tuned model of `source` into `target` without this share of its attention heads: those that matter least to
/// the loss of one of its classification heads on labelled rows. Each layer keeps its most important one.
///
/// Matrices really shrink, and `pruned_heads` in `config.json` says so; transformers 4 reads that, transformers 5 refuses such a
/// model, ONNX is the same to all.
///
/// # Errors
///
/// [`TrainingError::Pruning`] if the share leaves a layer nothing, and those of [`predict`](crate::evaluation::predict).
pub fn prune_heads(
    source: &Path,
    target: &Path,
    share: f64,
    rows: &[Row],
    head: Option<&str>,
) -> Result<HeadsReport, TrainingError> {
    let mut files = ModelFiles::read(source)?;
    if let Some(pooling) = files.config.raw.get("pooling").filter(|pooling| *pooling != "pooler") {
        let message = format!("pooling is {pooling}; heads can be weighed only in models that answer by a pooler");
        return Err(files.refused("config.json", message));
    }
    let every = rows.len().div_ceil(MOST_ROWS).max(1);
    let rows: Vec<Row> = rows.iter().step_by(every).cloned().collect();
    if rows.is_empty() {
        return Err(TrainingError::NoRows);
    }
    let weighed = weigh(&FineTuned::open(source)?, &rows, head)?;
    let whole = files.config.num_attention_heads;
    let mut heads = Vec::new();
    for (layer, importance) in weighed.into_iter().enumerate() {
        let numbers = files.config.pruned_heads.left(layer, whole).into_iter().zip(importance);
        heads.extend(numbers.map(|(head, importance)| HeadImportance { layer, head, importance, pruned: false }));
    }
    choose(&mut heads, share).map_err(|message| files.refused("config.json", message))?;

    let size = files.config.hidden_size / whole;
    for tensor in &mut files.tensors {
        let Some((layer, part)) = layer_of(&tensor.name) else { continue };
        let left = heads.iter().filter(|head| head.layer == layer).enumerate().filter(|(_, head)| !head.pruned);
        let places: Vec<usize> = left.flat_map(|(place, _)| place * size..(place + 1) * size).collect();
        match part.strip_prefix("attention.") {
            Some("output.dense.weight") => keep_columns(tensor, &places),
            Some(own) if own.starts_with("self.") => keep_rows(tensor, places.into_iter()),
            _ => {}
        }
    }
    let mut pruned = files.config.pruned_heads.clone();
    for head in heads.iter().filter(|head| head.pruned) {
        pruned.0.entry(head.layer).or_insert_with(BTreeSet::new).insert(head.head);
    }
    files.write(target, Map::from_iter([("pruned_heads".to_owned(), json!(PrunedHeads(pruned.0)))]))?;
    Ok(HeadsReport { rows: rows.len(), heads })
}

/// For each layer and head the mean over rows of the size of the loss' slope, by the root of the layer's sum of squares.
fn weigh(model: &FineTuned, rows: &[Row], head: Option<&str>) -> Result<Vec<Vec<f64>>, TrainingError> {
    let (head, labels) = choose_head(&model.heads, rows, head)?;
    let (classifier, tokenizer) = (model.classifier()?, model.tokenizer()?);
    let objective =
        Objective { kind: TaskKind::SingleLabel, label_smoothing: 0.0, r_drop: 0.0, loss: Box::new(CrossEntropy) };
    classifier.learn_by_heads_alone();
    let progress = Progress::start("weighing attention heads", Some(rows.len() as u64), Unit::Items("rows"));
    let mut sums: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        let tokens = tokenizer.encode(&row.text)?;
        let batch = Arc::new(PackedBatch::new([tokens.ids()]));
        let states = classifier.encode(&batch, Mode::Training { seed: 0, step: 0, dropout: 0.0 })?;
        let logits = classifier.logits(&states, head)?;
        let wanted = objective.wanted(&[&Target::Label(labels.index_of(row)?)], logits.dim(1)?)?;
        objective.loss(&logits, &wanted)?.backward()?;
        let slopes = classifier.take_head_slopes();
        sums.resize_with(slopes.len(), Vec::new);
        for (sums, slopes) in sums.iter_mut().zip(slopes) {
            sums.resize(slopes.len(), 0.0);
            sums.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope.abs());
        }
        progress.advance(1);
    }
    progress.finish();
    for sums in &mut sums {
        let norm = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        sums.iter_mut().filter(|_| norm > 0.0).for_each(|sum| *sum /= norm);
    }
    Ok(sums)
}

/// Marks a share of the heads, from the least important, but for the most important one of each layer.
fn choose(heads: &mut [HeadImportance], share: f64) -> Result<(), String> {
    let wanted = (share * heads.len() as f64).round() as usize;
    let mut order: Vec<usize> = (0..heads.len()).collect();
    order.sort_by(|one, other| heads[*one].importance.total_cmp(&heads[*other].importance));
    let mut kept = BTreeSet::new();
    let free = order.iter().rev().filter(|place| !kept.insert(heads[**place].layer));
    let mut free: Vec<usize> = free.copied().collect();
    if wanted > free.len() {
        let (all, most) = (heads.len(), free.len());
        return Err(format!(
            "{wanted} of {all} heads are too many to prune: each layer keeps one, so that {most} can go at most, a share of {:.2}",
            most as f64 / all as f64 - 0.005
        ));
    }
    free.reverse();
    free.into_iter().take(wanted).for_each(|place| heads[place].pruned = true);
    Ok(())
}

fn keep_columns(tensor: &mut NamedTensor, columns: &[usize]) {
    let row = |row: &[f32]| columns.iter().map(|column| row[*column]).collect::<Vec<f32>>();
    tensor.values = tensor.values.chunks_exact(tensor.shape[1]).flat_map(row).collect();
    tensor.shape[1] = columns.len();
}
