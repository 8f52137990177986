//! `pulsewire store sql`.

use std::io::Read as _;

use anyhow::Context as _;
use clap::Args;
use service::CancellationToken;
use storage::{StorageError, Store};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::StoreArguments;
use crate::terminal::{is_interactive, print_bytes};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire store sql \"SELECT topic, count() FROM sentiment_scores GROUP BY topic\"
  pulsewire store sql \"SHOW TABLES\" --format JSONEachRow
  pulsewire store sql - < report.sql > report.tsv

On a terminal the answer is a table, otherwise tab-separated values without a heading. A format that the
statement names wins (`... FORMAT CSVWithNames`).";

/// ClickHouse's code for a database that does not exist.
const UNKNOWN_DATABASE: u32 = 81;

/// Arguments of `store sql`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SqlCommand {
    /// One statement, or `-` to read it from standard input
    #[arg(value_name = "STATEMENT")]
    statement: String,
    /// Any of ClickHouse's output formats
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

impl SqlCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let statement = match self.statement.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read the statement from standard input")?;
                text
            }
            _ => self.statement,
        };
        if statement.trim().is_empty() {
            return Err(UsageError("the statement is empty".to_owned()).into());
        }
        let fallback = if is_interactive() { "PrettyCompact" } else { "TabSeparated" };
        let config = self.store.resolve(global)?;
        let store = Store::new(&config, CancellationToken::new())?;
        let mut answer = store.sql(&statement, self.format.as_deref().unwrap_or(fallback))?;
        loop {
            match answer.next().await {
                Ok(Some(piece)) => print_bytes(&piece)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(with_mend(error, &config.database)),
            }
        }
    }
}

/// A store that no monitor has used yet has no tables, and not even the database.
fn with_mend(error: StorageError, database: &str) -> anyhow::Error {
    match error.code() {
        Some(UNKNOWN_DATABASE) => anyhow::Error::new(error).context(format!(
            "there is no database {database} yet: `pulsewire store migrate` makes it with its tables"
        )),
        _ => error.into(),
    }
}
