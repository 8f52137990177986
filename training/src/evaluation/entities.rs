//! Runs a model that labels words over tagged texts.

use foundation::progress::{Progress, Unit};
use inference::{TaskKind, WordTagger};

use super::predict::BLOCK;
use crate::dataset::tagged::{checked, words};
use crate::dataset::{LabelSet, Row};
use crate::error::TrainingError;
use crate::metrics::EntityReport;
use crate::tags::{OUTSIDE, Tag};

/// Finds the entities of texts and counts those that are right. A word that the model does not see is in none.
///
/// # Errors
///
/// [`TrainingError::NoRows`] without rows, [`TrainingError::NotTags`] if the model's labels are not tags, [`TrainingError::Row`]
/// and [`TrainingError::UnknownLabel`] with file and line for tags that are wrong or that the model does not know, and what the
/// model itself says.
pub fn find_entities(model: &mut WordTagger, rows: &[Row]) -> Result<EntityReport, TrainingError> {
    if rows.is_empty() {
        return Err(TrainingError::NoRows);
    }
    let head = model.head().clone();
    let labels = LabelSet::new(head.labels.iter().map(|label| label.to_string()).collect());
    let no_tag = labels.names().iter().find(|label| Tag::parse(label).is_none());
    let outside = labels.names().iter().position(|label| label == OUTSIDE);
    let (None, Some(outside)) = (no_tag, outside) else {
        return Err(TrainingError::NotTags { labels: labels.names().to_vec() });
    };
    let truth = |row: &Row| Ok(labels.target(&checked(row.clone())?, TaskKind::Tokens)?.labels().to_vec());
    let truths = rows.iter().map(truth).collect::<Result<Vec<_>, TrainingError>>()?;
    let progress = Progress::start(format!("evaluating {}", head.name), Some(rows.len() as u64), Unit::Items("rows"));
    let mut found: Vec<Vec<usize>> = Vec::with_capacity(rows.len());
    for block in rows.chunks(BLOCK) {
        let texts: Vec<Vec<&str>> = block.iter().map(|row| words(&row.text)).collect();
        let labelled = model.label(&texts)?.into_iter();
        found.extend(labelled.map(|words| words.into_iter().map(|word| word.unwrap_or(outside)).collect()));
        progress.advance(block.len() as u64);
    }
    progress.finish();
    let texts = truths.iter().zip(&found).map(|(truth, found)| (&truth[..], &found[..]));
    Ok(EntityReport::of(&head.name, labels.names(), texts))
}
