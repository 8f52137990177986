//! `pulsewire data audit`: likely label errors, for an annotator to look at again.

use std::path::PathBuf;

use clap::Args;
use training::label_audit::{LabelAudit, write_csv};
use training::out_of_fold::read_files;

use super::report::{Grid, Report, Section, Side};
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire cross-validate --run finance.toml --out-of-fold rows.ndjson
  pulsewire data audit --out-of-fold rows.ndjson --csv errors.csv
  pulsewire data audit --out-of-fold first.ndjson --out-of-fold second.ndjson --json

A row's label is likely wrong if a model that has not seen the row gives another label at least the probability that this
label's own rows get on average (confident learning, Northcutt and others 2021). The margin is the given label's probability
less the highest one of the others: the lowest stand first. Look before you change anything: some are the model's errors.

Rows that another program has judged need a line each:
  {\"text\": \"Shares fall\", \"label\": \"up\", \"probabilities\": {\"down\": 0.9, \"up\": 0.1}}";

/// Labels beyond which the table of the joint would not fit a terminal.
const JOINT_LABELS: usize = 8;
/// Labels that are listed, the most doubtful first.
const LISTED_LABELS: usize = 30;

/// Arguments of `data audit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditCommand {
    /// What `pulsewire cross-validate --out-of-fold` has written (may be given more than once)
    #[arg(long, value_name = "FILE", required = true)]
    out_of_fold: Vec<PathBuf>,
    /// Write all likely errors with their whole texts
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Likely errors that are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    shown: usize,
    /// Answer in JSON, with all likely errors
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let judged = read_files(&self.out_of_fold)?.tasks;
        let audits = judged.iter().map(LabelAudit::of).collect::<Result<Vec<_>, _>>()?;
        if let Some(path) = &self.csv {
            write_csv(path, &judged, &audits)?;
        }
        if self.json {
            return print_json(&audits);
        }
        let sections = audits.iter().flat_map(|audit| sections(audit, self.shown)).collect();
        print_line(Report { title: "Label audit", sections }.text())
    }
}

fn sections(audit: &LabelAudit, shown: usize) -> [Section; 2] {
    let share = 100.0 * audit.estimated_errors / audit.rows.max(1) as f64;
    let mut notes = vec![format!(
        "{} of {} rows are likely wrong; by estimation {:.0} ({share:.1} %) are",
        audit.findings.len(),
        audit.rows,
        audit.estimated_errors
    )];
    if audit.labels.len() > LISTED_LABELS {
        notes.push(format!("{LISTED_LABELS} of {} labels are shown", audit.labels.len()));
    }
    let grids =
        if audit.labels.len() <= JOINT_LABELS { vec![labels(audit), joint(audit)] } else { vec![labels(audit)] };
    let mut found = Vec::new();
    if audit.findings.len() > shown {
        found.push(format!("{shown} of {} are shown; --csv FILE has all", audit.findings.len()));
    }
    [
        Section { title: format!("Labels of {}", audit.task), grids, notes },
        Section {
            title: format!("Likely errors of {}", audit.task),
            grids: vec![findings(audit, shown)],
            notes: found,
        },
    ]
}

fn labels(audit: &LabelAudit) -> Grid {
    let figures = ["rows", "threshold", "likely wrong", "estimated"].map(|heading| (heading, Side::Right));
    let mut grid = Grid::new(std::iter::once(("given label", Side::Left)).chain(figures));
    let mut labels: Vec<_> = audit.labels.iter().collect();
    if labels.len() > LISTED_LABELS {
        labels.sort_by(|a, b| b.estimated_errors.total_cmp(&a.estimated_errors));
    }
    for label in labels.into_iter().take(LISTED_LABELS) {
        grid.add([
            label.label.clone(),
            label.rows.to_string(),
            label.threshold.map_or("-".to_owned(), |threshold| format!("{threshold:.3}")),
            label.findings.to_string(),
            format!("{:.1}", label.estimated_errors),
        ]);
    }
    grid
}

fn joint(audit: &LabelAudit) -> Grid {
    let columns = audit.labels.iter().map(|label| (label.label.as_str(), Side::Right));
    let mut grid = Grid::new(std::iter::once(("given \\ confidently", Side::Left)).chain(columns));
    for (label, counts) in audit.labels.iter().zip(&audit.confident_joint) {
        grid.add(std::iter::once(label.label.clone()).chain(counts.iter().map(u64::to_string)));
    }
    grid
}

fn findings(audit: &LabelAudit, shown: usize) -> Grid {
    let columns = [("at", Side::Left), ("given", Side::Left), ("suggested", Side::Left), ("text", Side::Left)];
    let mut grid = Grid::new(std::iter::once(("margin", Side::Right)).chain(columns));
    for finding in audit.findings.iter().take(shown) {
        grid.add([
            format!("{:.3}", finding.margin),
            finding.at.to_string(),
            finding.label.clone(),
            finding.suggested.clone(),
            finding.text.clone(),
        ]);
    }
    grid
}
