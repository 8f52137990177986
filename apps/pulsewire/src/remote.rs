//! Labelled rows that lie in ClickHouse or Kafka: brought into files, which are all that training reads, and back.

mod deliver;
mod fetch;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use foundation::digest::sha256;
use storage::StoreConfig;
use tempfile::TempDir;
use tokio::runtime::Handle;
use training::{DataSource, Remote};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::{KafkaArguments, StoreArguments};

pub(crate) use deliver::Delivery;

/// Where ClickHouse and Kafka are that rows come from and go to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RemoteArguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    kafka: KafkaArguments,
}

impl RemoteArguments {
    /// Which ClickHouse.
    pub(crate) fn store(&self, global: &Global) -> anyhow::Result<StoreConfig> {
        self.store.resolve(global)
    }
}

/// What a word of the command line points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    File(&'a Path),
    /// A query where rows come from, a table where they go: `clickhouse:…`.
    ClickHouse(&'a str),
    /// A topic: `kafka:…`.
    Kafka(&'a str),
}

impl<'a> Place<'a> {
    /// A file whose own name begins so is written with its folder: `./kafka:rows.csv`.
    pub(crate) fn of(word: &'a Path) -> Self {
        match word.to_str().and_then(|text| text.split_once(':')) {
            Some(("clickhouse", text)) => Self::ClickHouse(text),
            Some(("kafka", text)) => Self::Kafka(text),
            _ => Self::File(word),
        }
    }

    /// The rows there.
    pub(crate) fn source(self) -> DataSource {
        match self {
            Self::File(path) => DataSource::new(path),
            Self::ClickHouse(query) => DataSource { query: Some(query.to_owned()), ..DataSource::new("") },
            Self::Kafka(topic) => DataSource { topic: Some(topic.to_owned()), ..DataSource::new("") },
        }
    }
}

/// Fetches rows into the files of one folder. A file that lies there already is taken as it is: who goes on with what was
/// interrupted, or asks twice, sees the same rows.
pub(crate) struct RemoteRows<'a> {
    arguments: &'a RemoteArguments,
    global: &'a Global,
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl<'a> RemoteRows<'a> {
    /// Files that are gone when this is.
    pub(crate) fn for_a_while(arguments: &'a RemoteArguments, global: &'a Global) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        Ok(Self { arguments, global, folder: folder.path().to_owned(), _temporary: Some(folder) })
    }

    /// Files that stay in a folder, which is made when there are any.
    pub(crate) fn kept_in(folder: PathBuf, arguments: &'a RemoteArguments, global: &'a Global) -> Self {
        Self { arguments, global, folder, _temporary: None }
    }

    /// The same sources, with their rows on this machine.
    pub(crate) fn local(&self, mut sources: Vec<DataSource>) -> anyhow::Result<Vec<DataSource>> {
        self.fetch(&mut sources)?;
        Ok(sources)
    }

    /// Brings the rows of every query and topic among the sources here. Blocks.
    pub(crate) fn fetch<'s>(&self, sources: impl IntoIterator<Item = &'s mut DataSource>) -> anyhow::Result<()> {
        for source in sources {
            if let Some(fault) = source.fault() {
                return Err(UsageError(format!("{}: {fault}", source.name())).into());
            }
            let Some(remote) = source.remote() else { continue };
            let file = self.folder.join(file_name(remote));
            if file.exists() {
                tracing::info!("the rows of {} are those that were fetched before", source.name());
            } else {
                fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
                blocking(self.write(remote, &source.name(), &file))?;
            }
            source.fetched = Some(file);
        }
        Ok(())
    }

    async fn write(&self, remote: Remote<'_>, name: &str, file: &Path) -> anyhow::Result<()> {
        // Under its name only when it is whole.
        let mut draft = tempfile::NamedTempFile::new_in(&self.folder)
            .with_context(|| format!("cannot write into {}", self.folder.display()))?;
        let rows = match remote {
            Remote::Query(query) => fetch::query(&self.arguments.store(self.global)?, query, name, &mut draft).await,
            Remote::Topic(topic) => {
                let kafka = self.arguments.kafka.resolve(self.global)?.kafka.connection;
                fetch::topic(&kafka, topic, name, &mut draft).await
            }
        };
        let rows = rows.with_context(|| format!("cannot read the rows of {name}"))?;
        anyhow::ensure!(rows > 0, "{name} has no rows");
        draft.persist(file).with_context(|| format!("cannot write {}", file.display()))?;
        tracing::info!("{name}: {rows} rows");
        Ok(())
    }
}

/// Waits for servers in the middle of code that blocks anyway.
fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(work))
}

/// One name for one query or topic.
fn file_name(remote: Remote<'_>) -> String {
    let (kind, text) = match remote {
        Remote::Query(query) => ("query", query),
        Remote::Topic(topic) => ("topic", topic),
    };
    format!("{kind}-{}.ndjson", &sha256(text.as_bytes())[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_command_line_point_at_files_queries_and_topics() {
        let place = |word: &'static str| Place::of(Path::new(word));
        assert_eq!(place("rows.csv"), Place::File(Path::new("rows.csv")));
        assert_eq!(place("./kafka:rows.csv"), Place::File(Path::new("./kafka:rows.csv")));
        assert_eq!(place("C:rows.csv"), Place::File(Path::new("C:rows.csv")));
        assert_eq!(place("kafka:labelled"), Place::Kafka("labelled"));
        let query = "SELECT 'a:b' AS text";
        assert_eq!(place("clickhouse:SELECT 'a:b' AS text"), Place::ClickHouse(query));
        assert_eq!(Place::ClickHouse(query).source().remote(), Some(Remote::Query(query)));
        assert_eq!(place("kafka:labelled").source().fault(), None);
    }

    #[test]
    fn each_query_has_a_file_of_its_own() {
        let names = [Remote::Query("a"), Remote::Query("b"), Remote::Topic("a")].map(file_name);
        assert!(names[0].starts_with("query-") && names[2].starts_with("topic-") && names[2].ends_with(".ndjson"));
        assert_ne!(names[0], names[1]);
    }
}
