//! `pulsewire store migrate`.

use std::time::Duration;

use clap::Args;
use sentiment_monitor::row as monitor;
use service::Lifecycle;
use storage::Store;

use crate::cli::Global;
use crate::settings::StoreArguments;
use crate::terminal::{print_line, table};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire store migrate                                       the embedded store of this machine
  pulsewire store migrate --store-url http://clickhouse:8123    a ClickHouse server
  pulsewire store migrate --config pulsewire.toml

Waits for the server. Running it twice, or from two machines at once, does no harm.";

/// The tables that every app shares come with the connection, under this name.
const SHARED_TABLES: &str = "storage";

/// Arguments of `store migrate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MigrateCommand {
    #[command(flatten)]
    store: StoreArguments,
}

impl MigrateCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let config = self.store.resolve(global)?;
        let lifecycle = Lifecycle::with_signals(Duration::ZERO)?;
        let store = lifecycle.starting(Store::connect_when_up(&config, lifecycle.shutdown())).await??;
        lifecycle.starting(store.migrate(monitor::COMPONENT, monitor::MIGRATIONS)).await??;
        let mut table = table(&["component", "version", "name", "applied"]);
        for component in [SHARED_TABLES, monitor::COMPONENT] {
            for migration in store.applied_migrations(component).await? {
                let version = migration.version.to_string();
                table.add_row([migration.component, version, migration.name, migration.applied_at.to_string()]);
            }
        }
        print_line(format!("{} at {} is up to date", store.database(), store.endpoint()))?;
        print_line(table.trim_fmt())
    }
}
