//! A recipe's figures over folds: how good it is, and how far that hangs on the rows that happen to be held out.

use std::fmt;

use serde::Serialize;

use super::table::Table;
use super::{Evaluation, Predictions};
use crate::dataset::Cleaning;
use crate::error::TrainingError;
use crate::metrics::{Confusion, HeadReport};
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
    /// The figures of each task whose rows have one label.
    pub tasks: Vec<FoldedEvaluation>,
    /// Those of each task of another kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<FoldedReports>,
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

/// The figures of a task of any kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldedReports {
    /// The task's name.
    pub task: String,
    /// What cleaning met.
    pub cleaning: Cleaning,
    /// Each fold that was trained, from 1, measured on the rows held out.
    pub folds: Vec<(usize, HeadReport)>,
    /// The figures that tell the most, over folds, by their names.
    pub figures: Vec<(&'static str, Spread)>,
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

impl FoldedReports {
    /// Sums folds up. A figure that a fold does not have is left out of its mean.
    pub fn of(task: &str, cleaning: Cleaning, folds: Vec<(usize, HeadReport)>) -> Self {
        let all: Vec<(&str, f64)> = folds.iter().flat_map(|(_, report)| report.figures()).collect();
        let mut figures: Vec<(&str, Spread)> = Vec::new();
        for (name, _) in &all {
            if figures.iter().all(|(known, _)| known != name) {
                let own: Vec<f64> = all.iter().filter(|(other, _)| other == name).map(|(_, figure)| *figure).collect();
                figures.push((name, Spread::of(own.into_iter())));
            }
        }
        Self { task: task.to_owned(), cleaning, folds, figures }
    }

    fn table(&self, folds: usize) -> Table {
        let mut table = Table::new(
            "fold",
            std::iter::once("rows".to_owned()).chain(self.figures.iter().map(|(name, _)| name.replace('_', " "))),
        );
        let figure = |figure: Option<f64>| figure.map_or(String::new(), |figure| format!("{figure:.4}"));
        let row = |rows: String, of: &dyn Fn(&(&'static str, Spread)) -> Option<f64>| {
            std::iter::once(rows).chain(self.figures.iter().map(|own| figure(of(own)))).collect::<Vec<_>>()
        };
        for (fold, report) in &self.folds {
            let own = report.figures();
            let of = |(name, _): &(&str, Spread)| Some(own.iter().find(|(other, _)| other == name)?.1);
            table.row(fold.to_string(), row(report.rows().to_string(), &of));
        }
        table.row("mean", row(String::new(), &|(_, spread)| Some(spread.mean)));
        if self.folds.len() > 1 {
            table.row("standard deviation", row(String::new(), &|(_, spread)| spread.standard_deviation));
        }
        if self.folds.len() < folds {
            table.note(format!("{} of {folds} folds", self.folds.len()));
        }
        table
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
        for task in &self.others {
            writeln!(f, "{}: {}\n\n{}\n", task.task, task.cleaning, task.table(self.folds).text())?;
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
    use crate::metrics::RegressionReport;
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
            others: Vec::new(),
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

    #[test]
    fn figures_of_other_kinds_are_those_counted_by_hand() {
        // Errors of 1 where the numbers vary by 1, and of 2 where they do not vary.
        let reports = [[(1.0, 2.0), (3.0, 4.0)], [(5.0, 7.0), (5.0, 3.0)]]
            .map(|pairs| HeadReport::Regression(RegressionReport::of("price", &pairs)));
        let folds = (1..).zip(reports).collect();
        let task = FoldedReports::of("price", Cleaning::default(), folds);
        let (name, error) = task.figures[0];
        assert_eq!((name, error.mean), ("root_mean_squared_error", 1.5));
        assert!((error.standard_deviation.unwrap() - 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(task.figures[1], ("r_squared", Spread { mean: 0.0, standard_deviation: None }));
        let expected = "fold                rows  root mean squared error  r squared\n\
                        1                      2                   1.0000     0.0000\n\
                        2                      2                   2.0000\n\
                        mean                                       1.5000     0.0000\n\
                        standard deviation                         0.7071\n\
                        2 of 3 folds";
        assert_eq!(task.table(3).text(), expected);
    }
}
