//! Rows that are learned changed: drawn anew at each step, or made once as further rows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Trainer;
use super::groups::Row;
use super::reading::Reading;
use crate::augmentation::{Augmentation, Augmenter, further};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::{TaskKind, TrainingRun};

/// A run's methods of augmentation.
#[derive(Debug, Default)]
pub(super) struct Augmenting {
    seed: u64,
    base: PathBuf,
    /// Those that steps draw, with the probability that a row is changed.
    drawn: Vec<(f64, Box<dyn Augmenter>)>,
    /// Those that make further rows.
    costly: Vec<Augmentation>,
}

impl Augmenting {
    pub(super) fn new(run: &TrainingRun, base: &Path) -> Result<Self, TrainingError> {
        let (costly, drawn): (Vec<_>, Vec<_>) =
            run.augmentation.iter().partition(|augmentation| augmentation.kind.is_costly());
        let build = |augmentation: &&Augmentation| Ok((augmentation.share, augmentation.build(base)?));
        Ok(Self {
            seed: run.seed,
            base: base.to_owned(),
            drawn: drawn.iter().map(build).collect::<Result<_, TrainingError>>()?,
            costly: costly.into_iter().cloned().collect(),
        })
    }

    /// Whether steps draw anything.
    pub(super) fn is_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Further texts, each with the place of the one that it was made of; none that is among `met`, where what is held out must be.
    pub(super) fn further(
        &self,
        texts: &[&str],
        mut met: HashSet<String>,
    ) -> Result<Vec<(usize, String)>, TrainingError> {
        let mut made = Vec::new();
        for (place, augmentation) in self.costly.iter().enumerate() {
            let mut random = Random::new(self.seed, &format!("further rows {place}"));
            made.extend(further(augmentation, &self.base, texts, &mut met, &mut random)?);
        }
        if !self.costly.is_empty() {
            tracing::info!("augmentation: {} further rows beside {}", made.len(), texts.len());
        }
        Ok(made)
    }

    /// A text as a step learns it; none where it stays as it is.
    fn draw(&self, text: &str, random: &mut Random) -> Result<Option<String>, TrainingError> {
        let mut changed: Option<String> = None;
        for (share, augmenter) in &self.drawn {
            if random.unit() < *share {
                changed = augmenter.augment(&[changed.as_deref().unwrap_or(text)], random)?.pop();
            }
        }
        Ok(changed.filter(|changed| changed != text))
    }
}

impl Trainer<'_> {
    /// A batch's rows as they are changed for it; none for those that stay as they are. The batch's number decides.
    pub(super) fn drawn(&self, rows: &[&Row], number: u64) -> Result<Vec<Option<Reading>>, TrainingError> {
        let kind = self.data.first().map_or_else(TaskKind::default, |task| task.kind);
        let draw = |(place, row): (usize, &&Row)| {
            let Some(text) = &row.text else { return Ok(None) };
            let mut random = Random::new(self.run.seed, &format!("augmentation {number} {place}"));
            let Some(changed) = self.augmenting.draw(text, &mut random)? else { return Ok(None) };
            let reading = Reading::of(&changed, kind, &self.tokenizer, &self.augmenting.base)?;
            // Longer words may push others over the longest input; their tags would be left over.
            Ok(Some(reading).filter(|reading| reading.answers_as(&row.reading)))
        };
        rows.iter().enumerate().map(draw).collect()
    }
}

#[cfg(test)]
mod tests;
