//! The client of a ClickHouse server.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clickhouse::query::Query;
use clickhouse::{Client, Compression, RowOwned, RowRead};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;

use crate::config::Endpoint;
use crate::error::UNKNOWN_DATABASE;
use crate::sql::identifier;
use crate::{StorageError, StoreCompression, StoreConfig};

mod adhoc;
mod insert;
mod patience;
mod text_table;

pub use adhoc::BytesStream;
pub use insert::MAX_BLOCK_ROWS;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Shorter than the three seconds after which a ClickHouse server closes an idle connection.
const IDLE_CONNECTION: Duration = Duration::from_secs(2);

/// A ClickHouse database, reached over HTTP. Clones share one connection pool.
///
/// What is out of reach is waited for, with a message every few seconds, until it answers or the shutdown token is
/// cancelled; every method that waits says so. A query that exceeds its time limit three times is an error.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// As `client`, without the check of every row against the table's columns.
    trusting: Client,
    endpoint: String,
    database: String,
    request_timeout: Duration,
    shutdown: CancellationToken,
    /// Tables and row types whose columns were found to agree.
    agreed: Mutex<HashSet<(String, &'static str)>>,
}

impl Store {
    /// A client for this server; nothing is sent yet.
    pub fn new(config: &StoreConfig, shutdown: CancellationToken) -> Result<Self, StorageError> {
        config.validate()?;
        let endpoint = config.endpoint()?;
        let compressed = match config.compression {
            StoreCompression::Auto => !endpoint.loopback,
            StoreCompression::None => false,
            StoreCompression::Lz4 => true,
        };
        let client = http_client(&endpoint)
            .with_url(&endpoint.url)
            .with_user(&config.user)
            .with_password(config.password.expose())
            .with_database(&config.database)
            .with_compression(if compressed { Compression::Lz4 } else { Compression::None })
            .with_product_info("pulsewire", env!("CARGO_PKG_VERSION"));
        let inner = Inner {
            trusting: client.clone().with_validation(false),
            client,
            endpoint: endpoint.url,
            database: config.database.clone(),
            request_timeout: config.request_timeout,
            shutdown,
            agreed: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Waits until the server answers, makes the database where it is missing, and brings the shared tables up to date.
    ///
    /// Wrong credentials and the like are errors at once.
    pub async fn connect_when_up(config: &StoreConfig, shutdown: CancellationToken) -> Result<Self, StorageError> {
        let store = Self::new(config, shutdown)?;
        store.make_database().await?;
        store.migrate(crate::tables::COMPONENT, crate::tables::MIGRATIONS).await?;
        Ok(store)
    }

    /// Whether the server answers now, without waiting for one that does not.
    pub async fn check(&self) -> Result<(), StorageError> {
        self.once("the health check", self.client().query_raw("SELECT 1").execute()).await
    }

    /// A query whose `?` are bound in order (`??` is a plain question mark); run it with [`Store::fetch_all`] and its kin.
    pub fn query(&self, sql: &str) -> Query {
        self.client().query(sql)
    }

    /// The client library's own client, for what this type does not offer; its errors are not waited out.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The server's address.
    pub fn endpoint(&self) -> &str {
        &self.inner.endpoint
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.inner.database
    }

    /// All rows of a query. Waits for the server.
    pub async fn fetch_all<R: RowOwned + RowRead>(&self, query: Query) -> Result<Vec<R>, StorageError> {
        self.ask("a query", || query.clone().fetch_all::<R>()).await
    }

    /// The one row of a query. Waits for the server.
    pub async fn fetch_one<R: RowOwned + RowRead>(&self, query: Query) -> Result<R, StorageError> {
        self.ask("a query", || query.clone().fetch_one::<R>()).await
    }

    /// The first row of a query, if it has any. Waits for the server.
    pub async fn fetch_optional<R: RowOwned + RowRead>(&self, query: Query) -> Result<Option<R>, StorageError> {
        self.ask("a query", || query.clone().fetch_optional::<R>()).await
    }

    /// Runs a statement that may be run twice without harm (DDL with IF NOT EXISTS, ALTER, OPTIMIZE). Waits for the server.
    pub async fn execute(&self, statement: &str) -> Result<(), StorageError> {
        let query = self.client().query_raw(statement);
        self.persist("a statement", || query.clone().execute()).await
    }

    /// The highest stored offset of a topic's partition in a table with columns `topic`, `partition` and `offset`.
    pub async fn highest_offset(&self, table: &str, topic: &str, partition: i32) -> Result<Option<i64>, StorageError> {
        let sql = format!("SELECT maxOrNull(`offset`) FROM {} WHERE topic = ? AND `partition` = ?", identifier(table));
        self.fetch_one(self.query(&sql).bind(topic).bind(partition)).await
    }

    async fn make_database(&self) -> Result<(), StorageError> {
        let probe = self.client().query_raw("SELECT 1");
        match self.persist("the first query", || probe.clone().execute()).await {
            Err(error) if error.code() == Some(UNKNOWN_DATABASE) => {
                let statement = format!("CREATE DATABASE IF NOT EXISTS {}", identifier(self.database()));
                let create = self.client().clone().with_database("default").query_raw(&statement);
                self.persist("CREATE DATABASE", || create.clone().execute()).await
            }
            other => other,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("endpoint", &self.endpoint()).field("database", &self.database()).finish()
    }
}

fn http_client(endpoint: &Endpoint) -> Client {
    if endpoint.secure {
        return Client::default();
    }
    // The client library leaves Nagle's algorithm on, which costs blocks of a few hundred rows most of their speed.
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEP_ALIVE));
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let http = HttpClient::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_CONNECTION).build(connector);
    Client::with_http_client(http)
}
