//! Cleaned rows into a file.

mod columnar;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use foundation::configuration::ConfigurationError;
use inference::pair;
use serde_json::{Map, Value};

use crate::dataset::Row;
use crate::error::TrainingError;
use crate::source::{DataSource, Format};

/// A file to be written, and what its columns are called: text, the second text of pairs, label, further ones.
#[derive(Debug, Clone)]
pub struct DataSink {
    path: PathBuf,
    format: Format,
    columns: Vec<String>,
}

impl DataSink {
    /// A file whose format its ending tells: CSV, TSV, NDJSON or Parquet. `columns` are the names of text and label and of as
    /// many further columns as the rows have.
    ///
    /// # Errors
    ///
    /// [`TrainingError::UnknownFormat`] for another ending, and [`TrainingError::Configuration`] if two columns have one name.
    pub fn new(path: &Path, columns: Vec<String>) -> Result<Self, TrainingError> {
        let format = DataSource::new(path).resolved_format()?;
        if format == Format::Conll {
            return Err(TrainingError::UnknownFormat { path: path.to_owned() });
        }
        let twice = columns.iter().enumerate().find(|(index, name)| columns[..*index].contains(name));
        match twice {
            Some((_, name)) => {
                let message = format!("two columns of {} would be called {name:?}", path.display());
                Err(ConfigurationError::invalid("columns", message).into())
            }
            None => Ok(Self { path: path.to_owned(), format, columns }),
        }
    }

    /// Writes the rows; what the file held before is lost.
    pub fn write(&self, rows: &[Row]) -> Result<(), TrainingError> {
        if self.format == Format::Parquet {
            return columnar::write(&self.path, &self.columns, rows);
        }
        let unwritable = |source| TrainingError::Unwritable { path: self.path.clone(), source };
        let mut writer = BufWriter::new(File::create(&self.path).map_err(unwritable)?);
        self.write_lines(&mut writer, rows).and_then(|()| writer.flush()).map_err(unwritable)
    }

    fn write_lines(&self, writer: &mut BufWriter<File>, rows: &[Row]) -> std::io::Result<()> {
        match self.format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(writer);
                writer.write_record(&self.columns)?;
                rows.iter().try_for_each(|row| writer.write_record(values(row)))?;
                writer.flush()
            }
            Format::Ndjson => rows.iter().try_for_each(|row| {
                let object = self.columns.iter().cloned().zip(values(row).map(Value::from)).collect::<Map<_, _>>();
                writeln!(writer, "{}", Value::Object(object))
            }),
            // Without quoting, a value cannot have what parts values; texts never do.
            Format::Tsv | Format::Separated | Format::Conll | Format::Parquet => {
                writeln!(writer, "{}", self.columns.join("\t"))?;
                rows.iter().try_for_each(|row| {
                    let plain = values(row).map(|value| value.replace(['\t', '\n', '\r'], " "));
                    writeln!(writer, "{}", plain.collect::<Vec<_>>().join("\t"))
                })
            }
        }
    }
}

/// Of a pair of texts, both.
fn values(row: &Row) -> impl Iterator<Item = &str> {
    let (first, second) = pair::split(&row.text).map_or((&*row.text, None), |(first, second)| (first, Some(second)));
    std::iter::once(first).chain(second).chain(std::iter::once(&*row.label)).chain(row.extra.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Location;

    fn rows() -> Vec<Row> {
        let row = |text: &str, label: &str, desk: &str| Row {
            text: text.to_owned(),
            agreement: 1.0,
            label: label.to_owned(),
            extra: vec![desk.to_owned()],
            at: Location { path: Path::new("rows.csv").into(), line: 2 },
        };
        vec![row("a, \"b\" ü", "up", "oil"), row("'c\\", "down", "")]
    }

    #[test]
    fn every_format_reads_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        for ending in ["csv", "tsv", "ndjson", "parquet"] {
            let path = directory.path().join(format!("rows.{ending}"));
            let columns = ["headline", "tone", "desk"].map(str::to_owned);
            DataSink::new(&path, columns.to_vec()).unwrap().write(&rows()).unwrap();
            let source = DataSource {
                text: Some("headline".to_owned()),
                label: Some("tone".to_owned()),
                ..DataSource::new(&path)
            };
            let read = source.read_with(&["desk".to_owned()]).unwrap();
            let read: Vec<_> = read.into_iter().map(|row| (row.text, row.label, row.extra)).collect();
            let written: Vec<_> = rows().into_iter().map(|row| (row.text, row.label, row.extra)).collect();
            assert_eq!(read, written, "{ending}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refusal = |path: &str, columns: [&str; 2]| {
            DataSink::new(Path::new(path), columns.map(str::to_owned).to_vec()).unwrap_err().to_string()
        };
        assert!(refusal("rows.txt", ["text", "label"]).contains("rows.txt: the ending tells no format"));
        assert!(refusal("rows.csv", ["text", "text"]).contains("two columns of rows.csv"));
        assert!(refusal("rows.conll", ["text", "label"]).contains("rows.conll: the ending tells no format"));
        let sink = DataSink::new(Path::new("/nowhere/rows.csv"), Vec::new()).unwrap();
        assert!(sink.write(&[]).unwrap_err().to_string().contains("cannot write /nowhere/rows.csv"));
        let sink = DataSink::new(Path::new("/nowhere/rows.parquet"), vec!["text".to_owned()]).unwrap();
        assert!(sink.write(&[]).unwrap_err().to_string().contains("cannot write /nowhere/rows.parquet"));
    }
}
