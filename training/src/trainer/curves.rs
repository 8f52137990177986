//! A run's curves for TensorBoard.

use std::io;

use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::run::TrainingRun;
use crate::tensorboard::EventFile;

/// Where curves go; nowhere if the run asks for none, or once they cannot be written any more.
#[derive(Debug)]
pub(super) struct Curves(Option<EventFile>);

impl Curves {
    /// A new event file in a folder of this run's model and seed. A run that goes on from a checkpoint begins another one there,
    /// which TensorBoard joins to the first.
    pub(super) fn start(run: &TrainingRun) -> Result<Self, TrainingError> {
        let Some(folder) = &run.tensorboard else { return Ok(Self(None)) };
        let path = folder.join(format!("{}-{}", run.name, run.seed));
        let events = EventFile::create(&path).map_err(|source| TrainingError::Unwritable { path, source })?;
        Ok(Self(Some(events)))
    }

    pub(super) fn step(&mut self, step: usize, loss: f64, rate: f64) {
        self.write(|events| events.scalars(step as u64, [("train/loss", loss), ("train/learning_rate", rate)]));
    }

    pub(super) fn epoch(&mut self, step: usize, validation: &[HeadReport]) {
        let tags: Vec<(String, f64)> = validation
            .iter()
            .flat_map(|report| report.figures().into_iter().map(move |figure| (report, figure)))
            .map(|(report, (name, value))| (format!("validation/{} {name}", report.head()), value))
            .collect();
        self.write(|events| events.scalars(step as u64, tags.iter().map(|(tag, value)| (tag.as_str(), *value))));
    }

    /// A full disk costs the curves, not the training.
    fn write(&mut self, scalars: impl FnOnce(&mut EventFile) -> io::Result<()>) {
        let Some(events) = &mut self.0 else { return };
        if let Err(error) = scalars(events) {
            tracing::warn!("{}: {error}; no more curves are written", events.path().display());
            self.0 = None;
        }
    }
}
