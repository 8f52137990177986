//! All findings in a table that an annotator can go through.

use std::path::Path;

use super::LabelAudit;
use crate::error::TrainingError;
use crate::out_of_fold::OutOfFold;

const COLUMNS: [&str; 9] =
    ["task", "file", "line", "label", "suggested", "margin", "label_probability", "suggested_probability", "text"];

/// Writes the findings of these audits with their whole texts, the likeliest errors of each task first. `judged` is what the
/// audits were made of.
pub fn write_csv(path: &Path, judged: &[OutOfFold], audits: &[LabelAudit]) -> Result<(), TrainingError> {
    let unwritable = |source: csv::Error| TrainingError::Unwritable { path: path.to_owned(), source: source.into() };
    let mut writer = csv::Writer::from_path(path).map_err(unwritable)?;
    writer.write_record(COLUMNS).map_err(unwritable)?;
    for (judged, audit) in judged.iter().zip(audits) {
        for finding in &audit.findings {
            let line = finding.at.line.to_string();
            let figures = [finding.margin, finding.label_probability, finding.suggested_probability];
            let [margin, given, suggested] = figures.map(|figure| format!("{figure:.4}"));
            let text = &judged.rows[finding.row].text;
            let record: [&str; COLUMNS.len()] = [
                &audit.task,
                &finding.at.file,
                &line,
                &finding.label,
                &finding.suggested,
                &margin,
                &given,
                &suggested,
                text,
            ];
            writer.write_record(record).map_err(unwritable)?;
        }
    }
    writer.flush().map_err(|source| TrainingError::Unwritable { path: path.to_owned(), source })
}
