//! `pulsewire data agreement`: how far annotators agree.

use std::path::PathBuf;

use clap::Args;
use training::agreement::{Agreement, RatingColumns, Ratings};
use training::{DataSource, Encoding, Format};

use super::report::{Grid, Report, Section, Side};
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire data agreement --data ratings.csv --id headline --annotator who --label sentiment
  pulsewire data agreement --data ratings.ndjson --json

A row is one annotator's label of one thing, which its id or its text tells from others; a blank label is none. Krippendorff's
alpha takes any number of annotators and labels that are missing; Fleiss' kappa needs as many for each thing, Cohen's kappa
compares two annotators. 1 is perfect, 0 what chance would give. A model cannot be expected to agree with annotators better
than they do with each other.";

/// Pairs of annotators that are listed.
const LISTED_PAIRS: usize = 20;

/// Arguments of `data agreement`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AgreementCommand {
    /// File with a label of one annotator a row: CSV, TSV, NDJSON or Parquet (may be given more than once)
    #[arg(long, value_name = "FILE", required = true)]
    data: Vec<PathBuf>,
    /// Column or key of what is labelled
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    id: String,
    /// Column or key of who labels
    #[arg(long, value_name = "COLUMN", default_value = "annotator")]
    annotator: String,
    /// Column or key of the label
    #[arg(long, value_name = "COLUMN", default_value = "label")]
    label: String,
    /// csv, tsv, ndjson or parquet [default: by the file's ending]
    #[arg(long, value_name = "FORMAT", value_parser = serde_name::<Format>)]
    format: Option<Format>,
    /// utf-8 or latin-1
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = serde_name::<Encoding>)]
    encoding: Encoding,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl AgreementCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let source =
            |path: &PathBuf| DataSource { format: self.format, encoding: self.encoding, ..DataSource::new(path) };
        let sources: Vec<DataSource> = self.data.iter().map(source).collect();
        let columns = RatingColumns { id: &self.id, annotator: &self.annotator, label: &self.label };
        let agreement = Agreement::of(&Ratings::read(&sources, columns)?)?;
        if self.json { print_json(&agreement) } else { print_line(report(&agreement).text()) }
    }
}

fn report(agreement: &Agreement) -> Report {
    let mut figures = Grid::new([("figure", Side::Left), ("value", Side::Right)]);
    let Agreement { shared_units, single_units, blank_labels, .. } = agreement;
    for (name, value) in [
        ("things with two labels or more", shared_units.to_string()),
        ("things with one label", single_units.to_string()),
        ("blank labels", blank_labels.to_string()),
        ("annotators", agreement.annotators.len().to_string()),
        ("labels", agreement.labels.len().to_string()),
        ("pairs of labels of one thing that agree", format!("{:.1} %", 100.0 * agreement.observed)),
        ("Krippendorff's alpha", optional(agreement.krippendorff_alpha)),
        ("Fleiss' kappa", optional(agreement.fleiss_kappa)),
    ] {
        figures.add([name.to_owned(), value]);
    }
    let columns = ["things", "agree", "Cohen's kappa"].map(|heading| (heading, Side::Right));
    let mut pairs = Grid::new([("annotators", Side::Left)].into_iter().chain(columns));
    for pair in agreement.pairs.iter().take(LISTED_PAIRS) {
        let (units, observed) = (pair.units.to_string(), format!("{:.1} %", 100.0 * pair.observed));
        pairs.add([format!("{}, {}", pair.first, pair.second), units, observed, optional(pair.cohen_kappa)]);
    }
    let mut notes = Vec::new();
    if agreement.fleiss_kappa.is_none() {
        notes.push("Fleiss' kappa needs as many labels for each thing, and more than one label in all".to_owned());
    }
    if agreement.pairs.len() > LISTED_PAIRS {
        notes.push(format!("{LISTED_PAIRS} of {} pairs are shown; JSON has all", agreement.pairs.len()));
    }
    let title = "Agreement".to_owned();
    Report { title: "Agreement", sections: vec![Section { title, grids: vec![figures, pairs], notes }] }
}

fn optional(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}
