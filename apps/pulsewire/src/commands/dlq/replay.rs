//! `pulsewire dlq replay`.

use std::time::Duration;

use clap::Args;
use foundation::progress::{Progress, Unit};
use service::Lifecycle;
use streaming::dead_letter::{self, ReplayOptions};

use super::LetterArguments;
use crate::cli::Global;
use crate::settings::KafkaArguments;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire dlq replay --topic news                        what no earlier replay has sent back
  pulsewire dlq replay --topic news --stage score --again  all of one stage, once more
  pulsewire dlq replay --topic news --limit 1              try with one first

Mend the cause first (the mapping, the model, the store): what fails again comes back as a new dead letter.";

/// Arguments of `dlq replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayCommand {
    #[command(flatten)]
    letters: LetterArguments,
    /// Also those that an earlier replay has sent back
    #[arg(long)]
    again: bool,
    /// Send back at most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArguments,
}

impl ReplayCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let config = self.kafka.resolve(global)?;
        let (topic, filter) = self.letters.resolve(&config)?;
        let options = ReplayOptions { filter, again: self.again, limit: self.limit };
        // What was sent back is remembered even if the replay is cut short by a signal.
        let lifecycle = Lifecycle::with_signals(Duration::ZERO)?;
        let progress = Progress::start(format!("replaying {topic}"), self.limit, Unit::Items("letters"));
        let shutdown = lifecycle.shutdown();
        let connection = &config.kafka.connection;
        let report =
            dead_letter::replay(connection, &topic, &options, &shutdown, |report| progress.set(report.replayed))
                .await?;
        progress.finish();
        if self.json {
            return print_json(&serde_json::json!({
                "read": report.read,
                "replayed": report.replayed,
                "left_out": report.left_out,
                "impossible": report.impossible,
            }));
        }
        print_line(format!(
            "{} of {} letters are on their topic again; {} were left out by the filter, {} cannot be sent back",
            report.replayed, report.read, report.left_out, report.impossible
        ))
    }
}
