//! A run's curves, for TensorBoard and for whoever watches.

use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::run::TrainingRun;
use crate::tensorboard::EventFile;

/// One figure of a run that is under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint<'a> {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step, from 0; for a figure of an epoch's end the steps until then.
    pub step: usize,
    /// What it is: `train/loss`, `validation/sentiment accuracy`.
    pub curve: &'a str,
    /// Its value.
    pub value: f64,
}

/// Hears every figure at once. Training waits for it, so it must not wait for anything.
pub type Watcher<'w> = &'w mut dyn FnMut(CurvePoint<'_>);

/// Where curves go: into event files if the run asks for them, as long as they can be written, and to the watcher if there is one.
pub(super) struct Curves<'w> {
    events: Option<EventFile>,
    watcher: Option<Watcher<'w>>,
}

impl<'w> Curves<'w> {
    /// A new event file in a folder of this run's model and seed. A run that goes on from a checkpoint begins another one there,
    /// which TensorBoard joins to the first.
    pub(super) fn start(run: &TrainingRun, watcher: Option<Watcher<'w>>) -> Result<Self, TrainingError> {
        let Some(folder) = &run.tensorboard else { return Ok(Self { events: None, watcher }) };
        let path = folder.join(format!("{}-{}", run.name, run.seed));
        let events = EventFile::create(&path).map_err(|source| TrainingError::Unwritable { path, source })?;
        Ok(Self { events: Some(events), watcher })
    }

    pub(super) fn step(&mut self, epoch: usize, step: usize, loss: f64, rate: f64) {
        self.write(epoch, step, &[("train/loss", loss), ("train/learning_rate", rate)]);
    }

    pub(super) fn epoch(&mut self, epoch: usize, step: usize, validation: &[HeadReport]) {
        let tags: Vec<(String, f64)> = validation
            .iter()
            .flat_map(|report| report.figures().into_iter().map(move |figure| (report, figure)))
            .map(|(report, (name, value))| (format!("validation/{} {name}", report.head()), value))
            .collect();
        let values: Vec<(&str, f64)> = tags.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        self.write(epoch, step, &values);
    }

    /// A full disk costs the curves, not the training.
    fn write(&mut self, epoch: usize, step: usize, values: &[(&str, f64)]) {
        if let Some(watcher) = &mut self.watcher {
            values.iter().for_each(|&(curve, value)| watcher(CurvePoint { epoch, step, curve, value }));
        }
        let Some(events) = &mut self.events else { return };
        if let Err(error) = events.scalars(step as u64, values.iter().copied()) {
            tracing::warn!("{}: {error}; no more curves are written", events.path().display());
            self.events = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_hears_every_figure_with_its_place() {
        let run: TrainingRun = toml::from_str("name = \"news\"\ntasks = []").unwrap();
        let mut heard = Vec::new();
        let mut hear =
            |point: CurvePoint<'_>| heard.push((point.epoch, point.step, point.curve.to_owned(), point.value));
        let mut curves = Curves::start(&run, Some(&mut hear)).unwrap();
        curves.step(2, 40, 0.5, 1e-4);
        let labels = ["down", "up"].map(str::to_owned);
        let report = crate::metrics::EvaluationReport::from_pairs("tone", &labels, [(0, 0), (1, 1)]);
        curves.epoch(2, 41, &[HeadReport::SingleLabel(report)]);
        assert_eq!(heard[0], (2, 40, "train/loss".to_owned(), 0.5));
        assert_eq!(heard[1], (2, 40, "train/learning_rate".to_owned(), 1e-4));
        assert!(heard.contains(&(2, 41, "validation/tone accuracy".to_owned(), 1.0)), "{heard:?}");
    }
}
