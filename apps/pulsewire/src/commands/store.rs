//! `pulsewire store`: the embedded ClickHouse, the schema, ad-hoc queries.

mod migrate;
mod serve;
mod sql;

use clap::Subcommand;

use crate::cli::Global;

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Run the embedded ClickHouse on this machine until it is stopped
    Serve(serve::ServeCommand),
    /// Bring the tables of a store up to date
    Migrate(migrate::MigrateCommand),
    /// Run one SQL statement and print its answer
    Sql(sql::SqlCommand),
}

impl StoreCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Serve(command) => command.run().await,
            Self::Migrate(command) => command.run(global).await,
            Self::Sql(command) => command.run(global).await,
        }
    }
}
