//! `pulsewire data`: labelled files looked at before anybody trains on them.

mod agreement;
mod audit;
mod card;
mod report;

use clap::Subcommand;

/// What to do with labelled files.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Tell labels, lengths, duplicates, leakage into a test and personal data
    Card(card::CardCommand),
    /// Find likely label errors in the out-of-fold rows of a cross-validation
    Audit(audit::AuditCommand),
    /// Tell how far annotators agree
    Agreement(agreement::AgreementCommand),
}

impl DataCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Card(command) => command.run().await,
            Self::Audit(command) => command.run(),
            Self::Agreement(command) => command.run(),
        }
    }
}
