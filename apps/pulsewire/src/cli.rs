//! The command line as types; each command's arguments stand beside its code in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use foundation::logging::LogFormat;

use crate::commands;

const ABOUT: &str = "Watches text feeds on Kafka with encoders that you fine-tune, fills ClickHouse, raises alerts.";

const FIRST_STEPS: &str = "\
FIRST STEPS:
  pulsewire demo       everything at once on this machine, on sample data, with nothing set up
  pulsewire doctor     what is here, what is missing, and the mend
  pulsewire setup      fetch the run-time parts (the demo does it when they are missing)

THEN, ON YOUR OWN FEED:
  pulsewire train --model news --data labelled.csv --text headline --label sentiment
  pulsewire store serve &
  pulsewire monitor --config pulsewire.toml

EXIT CODES:
  0 done, 1 failed, 64 wrong usage or configuration (nothing was started), 75 a server is out of reach: try again";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "pulsewire", version, about = ABOUT, after_help = FIRST_STEPS, max_term_width = 120)]
#[command(subcommand_required = true, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file (TOML); PULSEWIRE__SECTION__KEY variables and flags win over it
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// How log lines on standard error look
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = "Global options")]
    log_format: LogFormatName,
}

impl Global {
    pub(crate) fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatName::Text => LogFormat::Text,
            LogFormatName::Json => LogFormat::Json,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatName {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The commands, in the order in which a newcomer meets them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything at once on this machine, on sample data
    Demo(commands::demo::DemoCommand),
    /// Fetch and verify the run-time libraries and the base encoder
    Setup(commands::setup::SetupCommand),
    /// Tell what is here, what is missing, and the mend
    Doctor(commands::doctor::DoctorCommand),
    /// Look at labelled files before training on them
    #[command(subcommand)]
    Data(commands::data::DataCommand),
    /// Adapt a base encoder to the texts of a domain, without labels
    Adapt(Box<commands::adapt::AdaptCommand>),
    /// Train a small language model on texts, and let it write
    #[command(subcommand)]
    LanguageModel(commands::language_model::LanguageModelCommand),
    /// Fine-tune an encoder that finds the right answers of queries
    Rank(Box<commands::rank::RankCommand>),
    /// Make a base encoder of one that is kept as ONNX
    Import(commands::import::ImportCommand),
    /// Fine-tune an encoder on labelled files and publish it
    Train(Box<commands::train::TrainCommand>),
    /// Measure a training recipe: every row judged by a model that has not seen it
    CrossValidate(Box<commands::cross_validate::CrossValidateCommand>),
    /// Look for better hyper-parameters of a training recipe
    Search(Box<commands::search::SearchCommand>),
    /// Measure a model on labelled files
    Evaluate(commands::evaluate::EvaluateCommand),
    /// Show which words make a model answer as it does
    Explain(commands::explain::ExplainCommand),
    /// Leave tokens, layers or attention heads out of a model or a base encoder
    Prune(Box<commands::prune::PruneCommand>),
    /// Write a model directory with a fresh ONNX file
    Export(commands::export::ExportCommand),
    /// List, show, promote and roll back models
    #[command(subcommand)]
    Model(commands::model::ModelCommand),
    /// Score a feed, fill ClickHouse and raise alerts, until stopped
    Monitor(Box<commands::monitor::MonitorCommand>),
    /// List the alerts that would have fired on a past feed
    Backtest(Box<commands::backtest::BacktestCommand>),
    /// Put files on a topic, watch a topic
    #[command(subcommand)]
    Feed(commands::feed::FeedCommand),
    /// List dead letters, send them back
    #[command(subcommand)]
    Dlq(commands::dlq::DlqCommand),
    /// Run the embedded ClickHouse, migrate a schema, query
    #[command(subcommand)]
    Store(commands::store::StoreCommand),
    /// Measure the pipeline and the models
    #[command(subcommand)]
    Bench(commands::bench::BenchCommand),
}

impl Command {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Demo(command) => command.run(global).await,
            Self::Setup(command) => command.run().await,
            Self::Doctor(command) => command.run().await,
            Self::Data(command) => command.run(global).await,
            Self::Adapt(command) => command.run(global),
            Self::LanguageModel(command) => command.run(global),
            Self::Rank(command) => command.run(global),
            Self::Import(command) => command.run(),
            Self::Train(command) => command.run(global).await,
            Self::CrossValidate(command) => command.run(global).await,
            Self::Search(command) => command.run(global),
            Self::Evaluate(command) => command.run(global).await,
            Self::Explain(command) => command.run(global),
            Self::Prune(command) => command.run(global).await,
            Self::Export(command) => command.run(global).await,
            Self::Model(command) => command.run(global),
            Self::Feed(command) => command.run(global).await,
            Self::Dlq(command) => command.run(global).await,
            Self::Monitor(command) => command.run(global).await,
            Self::Backtest(command) => command.run(global).await,
            Self::Store(command) => command.run(global).await,
            Self::Bench(command) => command.run(global).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_in_its_help() {
        fn check(command: &clap::Command, path: &str) {
            let mut leaves = command.get_subcommands().filter(|sub| sub.get_name() != "help").peekable();
            if leaves.peek().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("EXAMPLES:\n  pulsewire "), "{path}");
            }
            for sub in leaves {
                check(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "pulsewire");
    }
}
