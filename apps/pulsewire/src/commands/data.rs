//! `pulsewire data`: labelled files looked at before anybody trains on them.

mod card;

use clap::Subcommand;

/// What to do with labelled files.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Tell labels, lengths, duplicates, leakage into a test and personal data
    Card(card::CardCommand),
}

impl DataCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Card(command) => command.run().await,
        }
    }
}
