//! An evaluation as tables, for a terminal and for a Markdown document.

mod kinds;

use std::fmt;

pub(super) use kinds::{figures_of_labels, figures_of_numbers};

use super::table::{Table, escaped, width};
use super::{Comparison, Evaluation, McNemarMethod, Robustness, Slice};

/// Values of a slice that a terminal shows; JSON and Markdown have all.
const SHOWN_VALUES: usize = 20;
/// Columns of a terminal that the labels may take as headings; longer ones are numbered.
const HEADINGS_WIDTH: usize = 72;

impl fmt::Display for Evaluation {
    /// Compact aligned tables; no line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&tables(self, SHOWN_VALUES)))
    }
}

impl Evaluation {
    /// A Markdown document of this title with everything measured; ends in a line break.
    pub fn markdown(&self, title: &str) -> String {
        let mut tables = tables(self, usize::MAX);
        tables.push(reliability(self));
        document(title, &tables)
    }
}

/// The tables one below the other, without a line break at the end.
pub(super) fn text(tables: &[Table]) -> String {
    tables.iter().map(Table::text).collect::<Vec<_>>().join("\n\n")
}

/// A Markdown document of the tables.
pub(super) fn document(title: &str, tables: &[Table]) -> String {
    let sections: Vec<String> = tables.iter().map(Table::markdown).collect();
    format!("# {}\n\n{}", escaped(title), sections.join("\n"))
}

fn tables(evaluation: &Evaluation, shown: usize) -> Vec<Table> {
    let mut tables = vec![labels(evaluation), figures(evaluation), confusion(evaluation)];
    tables.extend(evaluation.slices.iter().map(|slice| values(slice, shown)));
    tables.extend(evaluation.robustness.iter().map(|robustness| disturbed(evaluation, robustness)));
    tables.extend(evaluation.against.iter().map(|against| comparison(evaluation, against)));
    tables
}

fn labels(evaluation: &Evaluation) -> Table {
    let report = &evaluation.report;
    let headings = ["precision", "recall", "f1", "support", "ROC AUC", "avg precision"];
    let mut table = Table::new(format!("{} ({} rows)", report.head, report.rows), headings);
    for (label, ranking) in report.labels.iter().zip(&evaluation.ranking.labels) {
        let figures = [label.precision, label.recall, label.f1].map(|figure| format!("{figure:.3}"));
        let ranked = [ranking.roc_auc, ranking.average_precision].map(optional);
        table.row(&label.label, figures.into_iter().chain([label.support.to_string()]).chain(ranked));
    }
    let ranked = [evaluation.ranking.roc_auc, evaluation.ranking.average_precision].map(optional);
    let blank = [String::new(), String::new(), format!("{:.3}", report.macro_f1), report.rows.to_string()];
    table.row("macro mean", blank.into_iter().chain(ranked));
    table
}

fn figures(evaluation: &Evaluation) -> Table {
    let intervals = &evaluation.intervals;
    let temperature = evaluation.temperature.as_ref();
    let mut headings = vec!["".to_owned(), format!("{:.0} % interval", 100.0 * intervals.level)];
    headings.extend(temperature.map(|temperature| format!("at temperature {:.3}", temperature.value)));
    let mut table = Table::new("all labels", headings);
    let figure = |figure: f64| format!("{figure:.4}");
    let interval = |[low, high]: [f64; 2]| format!("{low:.4} to {high:.4}");
    table.row("accuracy", [figure(evaluation.report.accuracy), interval(intervals.accuracy)]);
    table.row("macro F1", [figure(evaluation.report.macro_f1), interval(intervals.macro_f1)]);
    let mut mended = |title: &str, now: f64, then: Option<f64>| {
        table.row(title, [figure(now), String::new()].into_iter().chain(then.map(figure)));
    };
    mended("log loss", evaluation.log_loss, temperature.map(|temperature| temperature.log_loss));
    mended("Brier score", evaluation.brier_score, None);
    let error = temperature.map(|temperature| temperature.calibration_error);
    mended("calibration error", evaluation.calibration.error, error);
    table
        .note(format!("intervals: bootstrap, {} resamples; calibration error: expected, 15 bins", intervals.resamples));
    if temperature.is_some() {
        table.note("the temperature is fitted on these rows");
    }
    table
}

fn confusion(evaluation: &Evaluation) -> Table {
    let report = &evaluation.report;
    let names: Vec<&str> = report.labels.iter().map(|label| label.label.as_str()).collect();
    let numbered = names.iter().map(|name| width(name) + 2).sum::<usize>() > HEADINGS_WIDTH;
    let heading = |(index, name): (usize, &&str)| if numbered { (index + 1).to_string() } else { (*name).to_owned() };
    let mut table = Table::new("true \\ predicted", names.iter().enumerate().map(heading));
    for (index, (name, counts)) in names.iter().zip(&report.confusion).enumerate() {
        let title = if numbered { format!("{:>2} {name}", index + 1) } else { (*name).to_owned() };
        table.row(title, counts.iter().map(|count| if *count == 0 { "·".to_owned() } else { count.to_string() }));
    }
    table
}

fn values(slice: &Slice, shown: usize) -> Table {
    let mut table = Table::new(&slice.column, ["rows", "labels", "accuracy", "macro F1"]);
    for value in slice.values.iter().take(shown) {
        let title = if value.value.is_empty() { "(empty)" } else { value.value.as_str() };
        let counts = [value.rows, value.labels].map(|count| count.to_string());
        table.row(title, counts.into_iter().chain([value.accuracy, value.macro_f1].map(|share| format!("{share:.4}"))));
    }
    if slice.values.len() > shown {
        table.note(format!("and {} smaller ones, which JSON and Markdown have", slice.values.len() - shown));
    }
    table
}

fn disturbed(evaluation: &Evaluation, robustness: &Robustness) -> Table {
    let headings = ["rows changed", "accuracy", "macro F1", "labels that flip"];
    let mut table = Table::new("robustness", headings);
    for found in &robustness.perturbations {
        let figures = [found.accuracy, found.macro_f1].map(|figure| format!("{figure:.4}"));
        let flipped = format!("{:.1} %", 100.0 * found.flipped);
        table.row(&found.name, [found.changed_rows.to_string()].into_iter().chain(figures).chain([flipped]));
    }
    let report = &evaluation.report;
    let figures = [report.accuracy, report.macro_f1].map(|figure| format!("{figure:.4}"));
    table.row("as they are", [String::new()].into_iter().chain(figures));
    table.note("the worst first; a word that is left out or swapped may change what is said, the others should change no label");
    table
}

fn comparison(evaluation: &Evaluation, against: &Comparison) -> Table {
    let title = format!("against {}", against.model);
    let mut table = Table::new(title, ["accuracy", "macro F1", "right alone"]);
    let mut row = |title: &str, accuracy: f64, macro_f1: f64, alone: u64| {
        table.row(title, [format!("{accuracy:.4}"), format!("{macro_f1:.4}"), alone.to_string()]);
    };
    let report = &evaluation.report;
    row("this model", report.accuracy, report.macro_f1, against.only_first_right);
    row(&against.model, against.accuracy, against.macro_f1, against.only_second_right);
    let test = &against.mcnemar;
    let method = match test.method {
        McNemarMethod::Exact => "exact",
        McNemarMethod::ChiSquare => "chi-square",
    };
    let chance = if test.p_value < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {:.4}", test.p_value) };
    table.note(format!(
        "{} rows both right, {} both wrong; McNemar's test of accuracy ({method}): {chance}",
        against.both_right, against.both_wrong
    ));
    table
}

fn reliability(evaluation: &Evaluation) -> Table {
    let mut table = Table::new("confidence", ["rows", "mean confidence", "accuracy"]);
    for bin in &evaluation.calibration.bins {
        let figures = [bin.rows.to_string(), format!("{:.4}", bin.confidence), format!("{:.4}", bin.accuracy)];
        table.row(format!("{:.3} to {:.3}", bin.above, bin.up_to), figures);
    }
    table
}

fn optional(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}

#[cfg(test)]
mod tests;
