//! Whether an interrupted run is gone on with, and how often it is made fit for that: arguments.

use std::time::Duration;

use clap::Args;
use training::Pace;

/// Arguments of commands that go on where they were interrupted.
#[derive(Debug, Args)]
pub(crate) struct CheckpointArguments {
    /// Begin anew even if the same run was interrupted and could go on
    #[arg(long)]
    pub(crate) restart: bool,
    /// Seconds between checkpoints, which never take more than a fiftieth of the time [default: 120]
    #[arg(long, value_name = "SECONDS")]
    checkpoint_every: Option<u64>,
}

impl CheckpointArguments {
    pub(crate) fn pace(&self) -> Pace {
        self.checkpoint_every.map_or(Pace::default(), |seconds| Pace::Time(Duration::from_secs(seconds)))
    }
}
