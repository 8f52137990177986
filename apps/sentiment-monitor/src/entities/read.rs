//! The dictionary's CSV file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use foundation::line_endings::UnixLines;

use super::names::Entry;
use super::{Company, EntityError};

/// A dictionary file's rows, checked.
pub(super) struct Table {
    pub(super) companies: Vec<Company>,
    pub(super) entries: Vec<Entry>,
}

/// Reads and checks every row.
pub(super) fn table(bytes: &[u8], path: &Path) -> Result<Table, EntityError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(UnixLines::new(bytes));
    let row_error = |source: csv::Error| EntityError::Row { path: path.into(), line: line_of(&source), source };
    let columns = Columns::of(reader.headers().map_err(row_error)?, path)?;

    let mut table = Table { companies: Vec::new(), entries: Vec::new() };
    let mut lines = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(row_error)?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |column: usize| row.get(column).unwrap_or_default();
        let name = field(columns.name);
        if name.is_empty() {
            return Err(EntityError::EmptyName { path: path.into(), line });
        }
        if let Some(first_line) = lines.insert(name.to_owned(), line) {
            return Err(EntityError::DuplicateName { path: path.into(), line, first_line, name: name.into() });
        }
        table
            .add(name, field(columns.ticker), field(columns.aliases), line)
            .map_err(|(field, value)| EntityError::NothingToMatch { path: path.into(), line, field, value })?;
    }
    if table.companies.is_empty() {
        return Err(EntityError::NoCompanies { path: path.into() });
    }
    Ok(table)
}

impl Table {
    fn add(&mut self, name: &str, ticker: &str, aliases: &str, line: u64) -> Result<(), (&'static str, String)> {
        let company = self.companies.len();
        let shared: Arc<str> = name.into();
        let ticker = (!ticker.is_empty()).then(|| Arc::from(ticker));
        let nothing = |field, value: &str| (field, value.to_owned());

        let aliases: Vec<&str> = aliases.split('|').map(str::trim).filter(|alias| !alias.is_empty()).collect();
        let respelled = |alias: &&str| alias.strip_prefix(['=', '~']) == Some(name);
        if !aliases.iter().any(respelled) {
            self.entries.push(Entry::name(name, company, line).ok_or_else(|| nothing("name", name))?);
        }
        for alias in aliases {
            self.entries.push(Entry::alias(alias, company, line).ok_or_else(|| nothing("aliases", alias))?);
        }
        if let Some(cashtag) = ticker.as_deref().and_then(|ticker| Entry::cashtag(ticker, company, line)) {
            self.entries.push(cashtag);
        }
        self.companies.push(Company { name: shared, ticker });
        Ok(())
    }
}

struct Columns {
    name: usize,
    ticker: usize,
    aliases: usize,
}

impl Columns {
    fn of(header: &csv::StringRecord, path: &Path) -> Result<Self, EntityError> {
        let position = |column: &'static str| {
            header.iter().position(|field| field == column).ok_or_else(|| EntityError::MissingColumn {
                path: path.into(),
                column,
                header: header.iter().collect::<Vec<_>>().join(","),
            })
        };
        Ok(Self { name: position("name")?, ticker: position("ticker")?, aliases: position("aliases")? })
    }
}

fn line_of(error: &csv::Error) -> u64 {
    match error.kind() {
        csv::ErrorKind::Utf8 { pos: Some(position), .. }
        | csv::ErrorKind::UnequalLengths { pos: Some(position), .. }
        | csv::ErrorKind::Deserialize { pos: Some(position), .. } => position.line(),
        _ => 1,
    }
}
