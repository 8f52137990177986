//! `pulsewire feed`: files onto topics, and topics onto the terminal.

mod send;
mod tail;

use clap::Subcommand;

use crate::cli::Global;

/// What to do with a feed.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Put the rows of a file on a topic, at their own pace or as fast as possible
    Send(send::SendCommand),
    /// Print the messages of a topic as they arrive
    Tail(tail::TailCommand),
}

impl FeedCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Send(command) => command.run(global).await,
            Self::Tail(command) => command.run(global).await,
        }
    }
}

/// The configuration's only topic, where the flag names none.
fn topic_or_configured(flag: Option<String>, configured: &[String]) -> anyhow::Result<String> {
    match (flag, configured) {
        (Some(topic), _) => Ok(topic),
        (None, [topic]) => Ok(topic.clone()),
        (None, _) => {
            Err(crate::exit::UsageError("name the topic with --topic: the configuration has several".into()).into())
        }
    }
}
