//! Answers on standard output: lines, tables and JSON.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// The reader of standard output has gone, as in `pulsewire feed tail | head`: no failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct OutputClosed;

/// Writes text and a line break.
pub(crate) fn print_line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    closed(writeln!(output, "{}", text.as_ref()).and_then(|()| output.flush()))
}

/// Writes bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    closed(output.write_all(bytes).and_then(|()| output.flush()))
}

/// Writes a value as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_line(serde_json::to_string_pretty(value).context("cannot write the answer as JSON")?)
}

/// Whether a person reads standard output.
pub(crate) fn is_interactive() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard output takes colours: a person reads it who has not set `NO_COLOR`.
pub(crate) fn colours() -> bool {
    is_interactive() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with these headings, ready for rows.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings.to_vec());
    table
}

fn closed(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        other => other.context("cannot write to standard output"),
    }
}
