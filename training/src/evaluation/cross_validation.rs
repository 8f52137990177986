//! A recipe's figures over folds: how good it is, and how far that hangs on the rows that happen to be held out.

use std::fmt;

use serde::Serialize;

use super::table::Table;
use super::{Evaluation, Predictions};
use crate::dataset::Cleaning;
use crate::error::TrainingError;
use crate::metrics::Confusion;
use crate::out_of_fold::OutOfFold;
use crate::run::Hyperparameters;

/// What cross-validation has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossValidation {
    /// The version of this layout: 1.
    pub version: u32,
    /// The run's name.
    pub name: String,
    /// The base encoder's name.
    pub base: String,
    /// The seed.
    pub seed: u64,
    /// The hyper-parameters.
    pub hyperparameters: Hyperparameters,
    /// SHA-256 over the tasks' cleaned rows with their folds.
    pub data_digest: String,
    /// How many folds there are; a part of them may be reported.
    pub folds: usize,
    /// Each task's figures.
    pub tasks: Vec<FoldedEvaluation>,
    /// The whole run.
    pub seconds: f64,
}

/// One task's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldedEvaluation {
    /// What cleaning met.
    pub cleaning: Cleaning,
    /// Each fold that was trained or taken from a file.
    pub folds: Vec<FoldFigures>,
    /// The share of rows whose likeliest label is the true one, over folds.
    pub accuracy: Spread,
    /// The mean of the labels' F1, over folds.
    pub macro_f1: Spread,
    /// The rows of all folds together, each judged by the model that has not seen it.
    pub pooled: Evaluation,
}

/// One fold's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FoldFigures {
    /// From 1.
    pub fold: usize,
    /// Rows held out.
    pub rows: usize,
    /// On these.
    pub accuracy: f64,
    /// On these.
    pub macro_f1: f64,
}

/// A figure over folds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The mean over folds, each counting alike.
    pub mean: f64,
    /// The standard deviation over folds (of a sample: divided by one less than their number); none of one fold.
    pub standard_deviation: Option<f64>,
}

impl CrossValidation {
    pub(crate) const VERSION: u32 = 1;
}

impl FoldedEvaluation {
    /// Measures a task's rows.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NotProbabilities`] for a row with something else.
    pub fn of(judged: &OutOfFold, cleaning: Cleaning) -> Result<Self, TrainingError> {
        let figures = |fold: usize| Ok(FoldFigures::of(fold, &judged.predictions(Some(fold))?));
        let folds = judged.folds().into_iter().map(figures).collect::<Result<Vec<_>, TrainingError>>()?;
        Ok(Self {
            cleaning,
            accuracy: Spread::of(folds.iter().map(|fold| fold.accuracy)),
            macro_f1: Spread::of(folds.iter().map(|fold| fold.macro_f1)),
            folds,
            pooled: Evaluation::of(&judged.predictions(None)?),
        })
    }
}

impl FoldFigures {
    fn of(fold: usize, predictions: &Predictions) -> Self {
        let confusion = Confusion::of(predictions.labels().len(), predictions.pairs());
        Self { fold, rows: predictions.len(), accuracy: confusion.accuracy(), macro_f1: confusion.macro_f1() }
    }
}

impl Spread {
    fn of(figures: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let count = figures.len() as f64;
        let mean = if count > 0.0 { figures.clone().sum::<f64>() / count } else { 0.0 };
        let squares: f64 = figures.map(|figure| (figure - mean).powi(2)).sum();
        Self { mean, standard_deviation: (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()) }
    }
}

impl fmt::Display for CrossValidation {
    /// Compact aligned tables; no line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for task in &self.tasks {
            writeln!(f, "{}: {}\n", task.pooled.report.head, task.cleaning)?;
            writeln!(f, "{}\n", self.table(task).text())?;
            writeln!(f, "all folds together\n\n{}\n", task.pooled)?;
        }
        write!(f, "{:.0} s in all", self.seconds)
    }
}

impl CrossValidation {
    fn table(&self, task: &FoldedEvaluation) -> Table {
        let figure = |figure: f64| format!("{figure:.4}");
        let mut table = Table::new("fold", ["rows", "accuracy", "macro F1"]);
        for fold in &task.folds {
            table.row(fold.fold.to_string(), [fold.rows.to_string(), figure(fold.accuracy), figure(fold.macro_f1)]);
        }
        table.row("mean", [String::new(), figure(task.accuracy.mean), figure(task.macro_f1.mean)]);
        let deviations = [task.accuracy, task.macro_f1].map(|spread| spread.standard_deviation);
        if let [Some(accuracy), Some(macro_f1)] = deviations {
            table.row("standard deviation", [String::new(), figure(accuracy), figure(macro_f1)]);
        }
        if task.folds.len() < self.folds {
            table.note(format!("{} of {} folds", task.folds.len(), self.folds));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Location;
    use crate::out_of_fold::JudgedRow;

    fn judged() -> OutOfFold {
        // Fold 1: two of two right. Fold 2: one of two, the other label never predicted.
        let rows = [(1, 0, 0.9), (1, 1, 0.2), (2, 0, 0.8), (2, 1, 0.7)];
        let row = |(line, (fold, label, first)): (usize, (usize, usize, f64))| JudgedRow {
            fold,
            at: Location { path: Path::new("rows.csv").into(), line: line as u64 },
            text: "text".to_owned(),
            label,
            probabilities: vec![first, 1.0 - first],
        };
        let labels = ["down", "up"].map(str::to_owned).to_vec();
        OutOfFold { task: "tone".to_owned(), labels, rows: rows.into_iter().enumerate().map(row).collect() }
    }

    #[test]
    fn figures_are_those_counted_by_hand() {
        let task = FoldedEvaluation::of(&judged(), Cleaning::default()).unwrap();
        let accuracies: Vec<f64> = task.folds.iter().map(|fold| fold.accuracy).collect();
        assert_eq!(accuracies, [1.0, 0.5]);
        // F1 of the second fold: 2/3 and 0.
        assert!((task.macro_f1.mean - (1.0 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
        // Two figures that are 0.5 apart: the root of 2 · 0.25².
        let deviation = task.accuracy.standard_deviation.unwrap();
        assert_eq!((task.accuracy.mean, (deviation - 0.125f64.sqrt()).abs() < 1e-12), (0.75, true));
        assert_eq!(task.pooled.report.confusion, [[2, 0], [1, 1]]);
        assert_eq!(Spread::of([0.5].into_iter()), Spread { mean: 0.5, standard_deviation: None });
    }

    #[test]
    fn the_table_tells_folds_mean_and_deviation() {
        let result = CrossValidation {
            version: CrossValidation::VERSION,
            name: "weather".to_owned(),
            base: "tiny".to_owned(),
            seed: 1,
            hyperparameters: Hyperparameters::default(),
            data_digest: String::new(),
            folds: 3,
            tasks: vec![FoldedEvaluation::of(&judged(), Cleaning::default()).unwrap()],
            seconds: 2.0,
        };
        let expected = "fold                rows  accuracy  macro F1\n\
                        1                      2    1.0000    1.0000\n\
                        2                      2    0.5000    0.3333\n\
                        mean                        0.7500    0.6667\n\
                        standard deviation          0.3536    0.4714\n\
                        2 of 3 folds";
        assert_eq!(result.table(&result.tasks[0]).text(), expected);
        assert!(result.to_string().contains("true \\ predicted"), "{result}");
    }
}
