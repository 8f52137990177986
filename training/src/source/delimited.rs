//! CSV and TSV.

use std::path::Path;
use std::sync::Arc;

use foundation::line_endings::UnixLines;

use super::{Columns, RawRow};
use crate::error::{Location, TrainingError};

pub(super) fn read(
    content: &str,
    path: &Arc<Path>,
    delimiter: u8,
    header: bool,
    wanted: &Columns<'_>,
) -> Result<Vec<RawRow>, TrainingError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter == b',')
        .has_headers(header)
        .flexible(true)
        .from_reader(UnixLines::new(content.as_bytes()));
    let columns = columns(&mut reader, path, header)?;
    let position = |wanted: &str| {
        columns.iter().position(|name| name == wanted).ok_or_else(|| TrainingError::MissingColumn {
            path: path.to_path_buf(),
            wanted: wanted.to_owned(),
            found: columns.clone(),
        })
    };
    let (text_at, label_at) = (position(wanted.text)?, position(wanted.label)?);
    let extra_at = wanted.extra.iter().map(|name| position(name)).collect::<Result<Vec<_>, _>>()?;

    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(&error, path))? {
        let at = Location { path: path.clone(), line: record.position().map_or(0, csv::Position::line) };
        if record.len() != columns.len() {
            let message = format!("the row has {} fields, the file has {} columns", record.len(), columns.len());
            let field = columns.get(record.len()).map_or("row", String::as_str).to_owned();
            return Err(TrainingError::Row { at, field, message });
        }
        let extra = extra_at.iter().map(|at| record[*at].to_owned()).collect();
        rows.push(RawRow { text: record[text_at].to_owned(), label: record[label_at].to_owned(), extra, at });
    }
    Ok(rows)
}

fn columns(
    reader: &mut csv::Reader<UnixLines<&[u8]>>,
    path: &Arc<Path>,
    header: bool,
) -> Result<Vec<String>, TrainingError> {
    // Without a header this peeks at the first record, which is still read as a row later.
    let first = reader.headers().map_err(|error| broken(&error, path))?;
    Ok(if header {
        first.iter().map(|name| name.trim().to_owned()).collect()
    } else {
        (1..=first.len()).map(|number| number.to_string()).collect()
    })
}

fn broken(error: &csv::Error, path: &Arc<Path>) -> TrainingError {
    TrainingError::Row {
        at: Location { path: path.clone(), line: error.position().map_or(0, csv::Position::line) },
        field: "row".to_owned(),
        message: error.to_string(),
    }
}
