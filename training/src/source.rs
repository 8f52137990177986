//! Labelled rows: what a user points at, read into rows that know where they came from.

mod columnar;
mod conll;
mod decoding;
mod delimited;
mod ndjson;
mod remote;
mod separated;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Location, TrainingError};

pub use remote::Remote;

/// One labelled file, or in its place a ClickHouse query or a Kafka topic, whose rows are brought into a file before they are read
/// ([`DataSource::remote`]).
///
/// ```toml
/// path = "Sentences_50Agree.txt"
/// format = "separated"
/// separator = "@"
/// encoding = "latin-1"
/// ```
///
/// ```toml
/// query = "SELECT headline AS text, sentiment AS label FROM labelled"
/// ```
///
/// ```toml
/// topic = "labelled"
/// text = "/article/headline"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The file; empty where a query or a topic stands in its place.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: PathBuf,
    /// A ClickHouse query, one SELECT, whose columns are named as `text` and `label` say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// A Kafka topic of JSON objects, read from its beginning to its ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Where the rows of a query or a topic lie, one JSON object a line, once somebody has fetched them.
    #[serde(skip)]
    pub fetched: Option<PathBuf>,
    /// The file's format; by the file's ending where it is not set.
    #[serde(default)]
    pub format: Option<Format>,
    /// How its bytes become text.
    #[serde(default)]
    pub encoding: Encoding,
    /// The text's column, JSON key or JSON Pointer. Default `text`; the first column of a file without header, as a `conll` file
    /// always is.
    #[serde(default)]
    pub text: Option<String>,
    /// The second text's column, JSON key or JSON Pointer, where a row is a pair of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The label's column, JSON key or JSON Pointer. Default `label`; the second column of a file without header; the last one of
    /// a `conll` file.
    #[serde(default)]
    pub label: Option<String>,
    /// The share of annotators who chose the label, above 0 to 1, where a row has one of some labels. The rest is taken to be divided
    /// evenly over the other labels: a row that people disagree about teaches less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// Whether a CSV or TSV file begins with the columns' names. Without, columns are called `1`, `2` and so on.
    #[serde(default = "yes")]
    pub header: bool,
    /// What stands between text and label in a `separated` file; the last one in a line counts. Default `@`.
    #[serde(default)]
    pub separator: Option<char>,
    /// What stands between the labels of one row, where rows have several. Default `|`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<char>,
    /// Successive texts of one document of a `conll` file become one row of at most this many words, so that each is read with its
    /// neighbours; a longer text stays a row of its own. Without, each text is a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_words: Option<usize>,
}

/// How far annotators agree about the labels of a source's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Agreement {
    /// The share of all its rows, as if each had it in a column `agreement`: of files that part rows by how far people agree.
    OfAll(f64),
    /// The column, JSON key or JSON Pointer of each row's share.
    Column(String),
}

impl Agreement {
    /// The column that rows have it in.
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::OfAll(_) => "agreement",
            Self::Column(name) => name,
        }
    }
}

/// What stands between labels where a source does not say.
pub(crate) const DEFAULT_LABEL_SEPARATOR: char = '|';

/// How a labelled file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with RFC 4180 quoting.
    Csv,
    /// Tab-separated values without quoting.
    Tsv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// `text@label`, one a line, split at the last separator.
    Separated,
    /// One word a line with its tag, and an empty line after each text, as the CoNLL shared tasks write named entities.
    Conll,
}

/// How a file's bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark; anything else is an error that names the line.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1: every byte is one character.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// One row as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRow {
    /// The text, unchanged.
    pub text: String,
    /// The label, unchanged.
    pub label: String,
    /// The values of the further columns asked for, unchanged and in their order; empty where a cell is null.
    pub extra: Vec<String>,
    /// Where the row stands.
    pub at: Location,
}

/// What is read of each row.
struct Columns<'a> {
    text: &'a str,
    label: &'a str,
    extra: &'a [String],
}

impl DataSource {
    /// A source with every default: format by ending, UTF-8, columns `text` and `label`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            query: None,
            topic: None,
            fetched: None,
            format: None,
            encoding: Encoding::default(),
            text: None,
            text_pair: None,
            label: None,
            agreement: None,
            header: true,
            separator: None,
            label_separator: None,
            document_words: None,
        }
    }

    /// The same file read for its texts alone: its rows need no label.
    pub fn without_label(&self) -> Self {
        Self { label: Some(self.text_column().to_owned()), agreement: None, ..self.clone() }
    }

    /// The format: the one set, else by the file's ending.
    pub fn resolved_format(&self) -> Result<Format, TrainingError> {
        if self.remote().is_some() {
            return Ok(Format::Ndjson);
        }
        if let Some(format) = self.format {
            return Ok(format);
        }
        let ending = self.path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("csv") => Ok(Format::Csv),
            Some("tsv" | "tab") => Ok(Format::Tsv),
            Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
            Some("parquet" | "pq") => Ok(Format::Parquet),
            Some("conll" | "bio" | "iob") => Ok(Format::Conll),
            _ => Err(TrainingError::UnknownFormat { path: self.path.clone() }),
        }
    }

    /// Reads every row of the file, in its order.
    pub fn read(&self) -> Result<Vec<RawRow>, TrainingError> {
        self.read_with(&[])
    }

    /// Reads every row of the file, with these columns (or keys, or JSON Pointers) beside text and label.
    ///
    /// # Errors
    ///
    /// As [`DataSource::read`], and [`TrainingError::MissingColumn`] or [`TrainingError::Row`] where a column is not there;
    /// `separated` and `conll` files have none.
    pub fn read_with(&self, extra: &[String]) -> Result<Vec<RawRow>, TrainingError> {
        let Some(agreement @ Agreement::OfAll(share)) = &self.agreement else { return self.read_columns(extra) };
        let is_share = |column: &&String| *column == agreement.column();
        let columns: Vec<String> = extra.iter().filter(|column| !is_share(column)).cloned().collect();
        let mut rows = self.read_columns(&columns)?;
        for row in &mut rows {
            let mut read = std::mem::take(&mut row.extra).into_iter();
            let cell = |column: &String| if is_share(&column) { Some(share.to_string()) } else { read.next() };
            row.extra = extra.iter().filter_map(cell).collect();
        }
        Ok(rows)
    }

    fn read_columns(&self, extra: &[String]) -> Result<Vec<RawRow>, TrainingError> {
        let format = self.resolved_format()?;
        let path: Arc<Path> = Path::new(&self.name()).into();
        let columns = Columns { text: self.text_column(), label: self.label_column(), extra };
        if format == Format::Parquet {
            return columnar::read(&path, &columns);
        }
        let file = self.file()?;
        let bytes =
            std::fs::read(file).map_err(|source| TrainingError::Unreadable { path: file.to_owned(), source })?;
        let content = decoding::decode(bytes, self.encoding, &path)?;
        match format {
            Format::Csv => delimited::read(&content, &path, b',', self.header, &columns),
            Format::Tsv => delimited::read(&content, &path, b'\t', self.header, &columns),
            Format::Ndjson => ndjson::read(&content, &path, &columns),
            Format::Conll => {
                let texts = conll::read(&content, &path, self.text.as_deref(), self.label.as_deref(), extra)?;
                Ok(match self.document_words {
                    Some(limit) => conll::joined(texts, limit),
                    None => texts.into_iter().map(|text| text.row).collect(),
                })
            }
            Format::Separated | Format::Parquet => {
                separated::read(&content, &path, self.separator.unwrap_or('@'), &columns)
            }
        }
    }

    /// Reads every row's text alone; the file needs no labels.
    ///
    /// # Errors
    ///
    /// As [`DataSource::read`].
    pub fn read_texts(&self) -> Result<Vec<String>, TrainingError> {
        Ok(self.without_label().read()?.into_iter().map(|row| row.text).collect())
    }

    fn has_header(&self) -> bool {
        self.header && !matches!(self.resolved_format(), Ok(Format::Conll))
    }

    fn text_column(&self) -> &str {
        self.text.as_deref().unwrap_or(if self.has_header() { "text" } else { "1" })
    }

    fn label_column(&self) -> &str {
        self.label.as_deref().unwrap_or(if self.header { "label" } else { "2" })
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
