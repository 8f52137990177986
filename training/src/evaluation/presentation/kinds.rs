//! Tables of heads that answer with several labels or with a number.

use crate::evaluation::table::Table;
use crate::metrics::{MultiLabelReport, RegressionReport};

/// Each label's figures, and those of all.
pub(in crate::evaluation) fn figures_of_labels(report: &MultiLabelReport) -> Vec<Table> {
    let headings = ["precision", "recall", "f1", "support"];
    let mut labels = Table::new(format!("{} ({} rows)", report.head, report.rows), headings);
    for label in &report.labels {
        let figures = [label.precision, label.recall, label.f1].map(|figure| format!("{figure:.3}"));
        labels.row(&label.label, figures.into_iter().chain([label.support.to_string()]));
    }
    let figures = [
        ("micro F1", report.micro_f1),
        ("macro F1", report.macro_f1),
        ("samples F1", report.samples_f1),
        ("mean average precision", report.mean_average_precision),
        ("subset accuracy", report.subset_accuracy),
        ("Hamming loss", report.hamming_loss),
    ];
    vec![labels, all("all labels", figures.map(|(title, figure)| (title, Some(figure))))]
}

/// Errors and correlations.
pub(in crate::evaluation) fn figures_of_numbers(report: &RegressionReport) -> Vec<Table> {
    let figures = [
        ("mean absolute error", Some(report.mean_absolute_error)),
        ("root mean squared error", Some(report.root_mean_squared_error)),
        ("R²", report.r_squared),
        ("Pearson", report.pearson),
        ("Spearman", report.spearman),
    ];
    vec![all(format!("{} ({} rows)", report.head, report.rows), figures)]
}

fn all<const N: usize>(title: impl Into<String>, figures: [(&str, Option<f64>); N]) -> Table {
    let mut table = Table::new(title, [""]);
    for (title, figure) in figures {
        table.row(title, [figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.4}"))]);
    }
    table
}
