//! `pulsewire dlq`: dead letters looked at, and sent back.

mod list;
mod replay;

use clap::{Args, Subcommand};
use sentiment_monitor::MonitorConfig;
use streaming::dead_letter::{LetterFilter, topic_of};

use crate::cli::Global;
use crate::exit::UsageError;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters with the reason of each
    List(list::ListCommand),
    /// Send dead letters back to the topic that they came from
    Replay(replay::ReplayCommand),
}

impl DlqCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run(global).await,
            Self::Replay(command) => command.run(global).await,
        }
    }
}

/// Which letters.
#[derive(Debug, Clone, Default, Args)]
struct LetterArguments {
    /// Topic of the feed, whose dead letters are on TOPIC.dlq [default: the configuration's]
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Topic of the dead letters, where it has another name [default: the configuration's]
    #[arg(long, value_name = "TOPIC")]
    dead_letter_topic: Option<String>,
    /// Only those that failed at this stage; `decode` means every decode.*
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Only those whose error contains this text
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

impl LetterArguments {
    /// The topic of the dead letters, and which of them are meant.
    fn resolve(&self, config: &MonitorConfig) -> anyhow::Result<(String, LetterFilter)> {
        let (stage, error) = (self.stage.clone(), self.error.clone());
        let shared = self.dead_letter_topic.clone().or_else(|| config.dead_letter_topic.clone());
        // The feed's topic is a filter only where several feeds may share the topic of dead letters.
        if let Some(shared) = shared {
            return Ok((shared, LetterFilter { stage, error, topic: self.topic.clone() }));
        }
        match (&self.topic, &config.kafka.topics[..]) {
            (Some(topic), _) | (None, [topic]) => Ok((topic_of(topic), LetterFilter { stage, error, topic: None })),
            (None, _) => Err(UsageError("name the feed with --topic: the configuration has several".to_owned()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_a_filter_only_for_a_shared_dead_letter_topic() {
        let config = MonitorConfig::default();
        let mut letters = LetterArguments { topic: Some("wire".into()), ..LetterArguments::default() };
        assert_eq!(letters.resolve(&config).unwrap(), ("wire.dlq".into(), LetterFilter::default()));
        letters.dead_letter_topic = Some("dead".into());
        let (topic, filter) = letters.resolve(&config).unwrap();
        assert_eq!((topic.as_str(), filter.topic.as_deref()), ("dead", Some("wire")));
    }

    #[test]
    fn without_a_topic_it_must_be_clear_which_one() {
        let letters = LetterArguments::default();
        let mut config = MonitorConfig::default();
        config.kafka.topics = vec!["news".into()];
        assert_eq!(letters.resolve(&config).unwrap().0, "news.dlq");
        config.kafka.topics.push("wire".into());
        assert!(letters.resolve(&config).is_err());
    }
}
