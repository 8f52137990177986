//! Rows into a file, and from there onwards into a ClickHouse table or a Kafka topic.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use foundation::{EventTime, Failure as _};
use service::CancellationToken;
use storage::{Store, StoreConfig};
use streaming::feed::{Pace, SendOptions, send};
use streaming::file::FileFormat;
use streaming::{ConnectionConfig, Offsets};
use training::{DataSink, Row};

use super::{Place, RemoteRows, blocking};
use crate::exit::UsageError;

/// Where rows go. What can be refused is refused before there is a row.
pub(crate) struct Delivery {
    sink: DataSink,
    onwards: Option<(PathBuf, Onwards)>,
}

enum Onwards {
    Table { name: String, columns: Vec<String>, store: Store },
    Topic { name: String, kafka: ConnectionConfig },
}

impl Delivery {
    /// To a file, `clickhouse:TABLE` or `kafka:TOPIC`. `columns` are the names of text, label and further ones. The topic is made
    /// if it is not there. Blocks.
    pub(crate) fn to(word: &Path, columns: Vec<String>, rows: &RemoteRows<'_>) -> anyhow::Result<Self> {
        let onwards = match Place::of(word) {
            Place::File(path) => return Ok(Self { sink: DataSink::new(path, columns)?, onwards: None }),
            Place::ClickHouse("") | Place::Kafka("") => {
                return Err(UsageError(format!("--out {} names no table or topic", word.display())).into());
            }
            Place::ClickHouse(table) => {
                let config = rows.arguments.store(rows.global)?;
                let store = blocking(open(&config))?;
                Onwards::Table { name: table.to_owned(), columns: columns.clone(), store }
            }
            Place::Kafka(topic) => {
                let kafka = rows.arguments.kafka.resolve(rows.global)?.kafka.connection;
                let offsets = Offsets::connect(&kafka, "pulsewire-data")?;
                // With one partition, rows stay in their order.
                blocking(offsets.ensure_topic(topic, 1))?;
                Onwards::Topic { name: topic.to_owned(), kafka }
            }
        };
        let file = rows.folder.join("out.ndjson");
        Ok(Self { sink: DataSink::new(&file, columns)?, onwards: Some((file, onwards)) })
    }

    /// Writes the rows: a file anew, to a table or a topic beside what is there. Blocks until the server has them.
    pub(crate) fn write(&self, rows: &[Row]) -> anyhow::Result<()> {
        self.sink.write(rows)?;
        match &self.onwards {
            None => Ok(()),
            Some((file, onwards)) => blocking(onwards.send(file)),
        }
    }
}

impl Onwards {
    async fn send(&self, file: &Path) -> anyhow::Result<()> {
        match self {
            Self::Table { name, columns, store } => {
                let lines = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                store.make_text_table(name, columns).await?;
                let token = format!("{name} {} {}", EventTime::now().millis(), std::process::id());
                Ok(store.insert_json_lines(name, lines.into(), &token).await?)
            }
            Self::Topic { name, kafka } => {
                let options = SendOptions {
                    path: file.to_owned(),
                    format: FileFormat::Ndjson,
                    topic: name.clone(),
                    key_column: None,
                    pace: Pace::Unlimited,
                    first_row: 0,
                    limit: None,
                };
                let report = send(kafka, &options, &CancellationToken::new(), |_| {}).await?;
                let refused = report.refused;
                anyhow::ensure!(refused == 0, "{refused} rows are larger than the topic {name} takes messages");
                Ok(())
            }
        }
    }
}

/// The store, if it answers now: a person waits for the command.
async fn open(config: &StoreConfig) -> anyhow::Result<Store> {
    let store = Store::new(config, CancellationToken::new())?;
    // A database that is not there yet is made.
    match store.check().await {
        Err(error) if error.is_retryable() => Err(error.into()),
        _ => Ok(Store::connect_when_up(config, CancellationToken::new()).await?),
    }
}
