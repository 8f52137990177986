//! `pulsewire store sql`.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use foundation::Failure as _;
use service::CancellationToken;
use storage::{StorageError, Store, StoreConfig};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::StoreArguments;
use crate::store_process::StoreProcess;
use crate::terminal::{is_interactive, print_bytes};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire store sql \"SELECT topic, count() FROM sentiment_scores GROUP BY topic\"
  pulsewire store sql \"SHOW TABLES\" --format JSONEachRow
  pulsewire store sql - < report.sql > report.tsv
  pulsewire store sql --store-dir ./demo/store \"SHOW TABLES\"    a store that is not running is opened for the statement

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
        let format = self.format.as_deref().unwrap_or(fallback);
        let config = self.store.resolve(global)?;
        match self.store.directory() {
            Some(directory) if !answers(&config).await? => ask_stopped_store(directory, &statement, format).await,
            _ => ask(&config, &statement, format).await,
        }
    }
}

/// Whether a store runs where the connection file says.
async fn answers(config: &StoreConfig) -> anyhow::Result<bool> {
    let config = StoreConfig { database: "default".to_owned(), ..config.clone() };
    let checked = Store::new(&config, CancellationToken::new())?.check().await;
    Ok(!checked.is_err_and(|error| error.is_retryable()))
}

/// Opens the store for the time of the statement.
async fn ask_stopped_store(directory: &Path, statement: &str, format: &str) -> anyhow::Result<()> {
    let log = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    let store = StoreProcess::start(directory, log.path()).await?;
    let asked = ask(&store.config, statement, format).await;
    store.stop().await?;
    asked
}

async fn ask(config: &StoreConfig, statement: &str, format: &str) -> anyhow::Result<()> {
    let store = Store::new(config, CancellationToken::new())?;
    let mut answer = store.sql(statement, format)?;
    loop {
        match answer.next().await {
            Ok(Some(piece)) => print_bytes(&piece)?,
            Ok(None) => return Ok(()),
            Err(error) => return Err(with_mend(error, &config.database)),
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
