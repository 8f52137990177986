//! The one executable of the workspace: reads the command line, starts the runtime, composes the library crates.

mod checkpoints;
mod cli;
mod commands;
mod derived;
mod exit;
mod kafka_process;
mod labelled;
mod output_folder;
mod publication;
mod remote;
mod samples;
mod settings;
mod setup;
mod store_process;
mod terminal;
mod training_folder;
mod training_metrics;
mod unlabelled;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::cli::Cli;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => exit::code(run(cli)),
        Err(error) => exit::usage(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    foundation::logging::init(cli.global.log_format());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")?;
    let result = runtime.block_on(cli.command.run(&cli.global));
    // A second signal, or an error, ends the process without waiting for blocking work.
    runtime.shutdown_background();
    result
}
