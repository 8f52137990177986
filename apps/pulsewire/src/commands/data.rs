//! `pulsewire data`: labelled files looked at before anybody trains on them.

mod agreement;
mod audit;
mod augment;
mod card;
mod clean;
mod report;

use clap::Subcommand;

use crate::cli::Global;

/// What to do with labelled files.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Tell labels, lengths, duplicates, leakage into a test and personal data
    Card(card::CardCommand),
    /// Write labelled files anew without duplicates, HTML, web addresses, personal data and other noise
    Clean(clean::CleanCommand),
    /// Write labelled files with further rows: misspelled, with synonyms, guessed words, translated back and others
    Augment(augment::AugmentCommand),
    /// Find likely label errors in the out-of-fold rows of a cross-validation
    Audit(audit::AuditCommand),
    /// Tell how far annotators agree
    Agreement(agreement::AgreementCommand),
}

impl DataCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Card(command) => command.run(global).await,
            Self::Clean(command) => command.run(global),
            Self::Augment(command) => command.run(global),
            Self::Audit(command) => command.run(),
            Self::Agreement(command) => command.run(),
        }
    }
}
