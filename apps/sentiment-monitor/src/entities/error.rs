//! Why a dictionary cannot be used.

use std::path::PathBuf;

use foundation::{Failure, FailureKind};

/// Why a company dictionary cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The file cannot be opened or read.
    #[error("cannot read company dictionary {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A row is not CSV, has another number of fields than the header, or is not UTF-8.
    #[error("{}:{line}: broken row in company dictionary", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The cause.
        #[source]
        source: csv::Error,
    },
    /// The header lacks a column.
    #[error("{}:1: column \"{column}\" is missing; the header is \"{header}\", wanted name,ticker,aliases", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
        /// The header as read.
        header: String,
    },
    /// A row has no name.
    #[error("{}:{line}: field \"name\" is empty", path.display())]
    EmptyName {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// Two rows have the same name.
    #[error("{}:{line}: field \"name\": \"{name}\" already stands on line {first_line}", path.display())]
    DuplicateName {
        /// The file.
        path: PathBuf,
        /// The line of the second, from 1.
        line: u64,
        /// The line of the first, from 1.
        first_line: u64,
        /// The name.
        name: String,
    },
    /// A name or alias holds nothing that could be found in a text.
    #[error("{}:{line}: field \"{field}\": \"{value}\" has no letter or digit to match", path.display())]
    NothingToMatch {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        field: &'static str,
        /// What stands there.
        value: String,
    },
    /// The file has a header and nothing else.
    #[error("{}: no company in the dictionary", path.display())]
    NoCompanies {
        /// The file.
        path: PathBuf,
    },
    /// The automaton could not be built.
    #[error("cannot build the automaton of company names")]
    Automaton(#[source] aho_corasick::BuildError),
}

impl Failure for EntityError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Automaton(_) => FailureKind::Internal,
            _ => FailureKind::Configuration,
        }
    }
}
