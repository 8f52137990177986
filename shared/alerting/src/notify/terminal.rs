//! Alerts for people: a block of text each.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write};

use super::Notifier;
use crate::error::AlertingError;
use crate::rule::{Scope, Severity};
use crate::transition::{State, Transition};

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// ANSI colours.
    On,
    /// Plain text.
    Off,
}

/// Prints each alert as a block: severity, entity, rule, value against what was expected, and the evidence.
pub struct TerminalNotifier<W> {
    output: W,
    colors: Colors,
}

impl TerminalNotifier<std::io::Stdout> {
    /// Prints to standard output, coloured if it is a terminal and `NO_COLOR` is not set.
    pub fn stdout() -> Self {
        let output = std::io::stdout();
        let plain = !output.is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { output, colors: if plain { Colors::Off } else { Colors::On } }
    }
}

impl<W: Write + Send> TerminalNotifier<W> {
    /// Prints to any writer.
    pub fn new(output: W, colors: Colors) -> Self {
        Self { output, colors }
    }
}

impl<W: Write + Send> Notifier for TerminalNotifier<W> {
    fn name(&self) -> &str {
        "terminal"
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        let mut text = String::new();
        for transition in transitions {
            // Writing to a String cannot fail.
            block(&mut text, transition, self.colors).unwrap_or_default();
        }
        self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()).map_err(AlertingError::Print)
    }
}

fn block(text: &mut String, transition: &Transition, colors: Colors) -> std::fmt::Result {
    let (bold, dim, reset) = if colors == Colors::On { ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m") } else { ("", "", "") };
    let (word, color) = match (transition.state, transition.severity) {
        (State::Resolved, _) => ("RESOLVED", "\u{1b}[32m"),
        (State::Firing, Severity::Critical) => ("CRITICAL", "\u{1b}[1;31m"),
        (State::Firing, Severity::Warning) => ("WARNING", "\u{1b}[1;33m"),
        (State::Firing, Severity::Info) => ("INFO", "\u{1b}[1;36m"),
    };
    let color = if colors == Colors::On { color } else { "" };
    let entity = if transition.scope == Scope::All { "whole feed" } else { &transition.entity };
    let (rule, at) = (&transition.rule, transition.at);
    write!(text, "{color}{word}{reset} {bold}{}{reset}  {rule}  {dim}{at}{reset}", printable(entity))?;
    if transition.state == State::Resolved {
        return writeln!(text, "  {dim}since {}{reset}", transition.started_at);
    }
    writeln!(text)?;
    write!(text, "  value {:.2}, fires at {:.2}", transition.value, transition.threshold)?;
    if let Some(expected) = transition.expected {
        write!(text, ", expected {expected:.2}")?;
    }
    let plural = if transition.messages == 1 { "" } else { "s" };
    writeln!(text, ", {} message{plural} since {}", transition.messages, transition.window_start)?;
    for evidence in &transition.evidence {
        let place = format!("{}/{}@{}", evidence.topic, evidence.partition, evidence.offset);
        let headline = shorten(&printable(&evidence.text));
        writeln!(
            text,
            "  {:+.2}  {dim}{}{reset}  {headline}  {dim}{}{reset}",
            evidence.score,
            evidence.time,
            printable(&place)
        )?;
    }
    Ok(())
}

/// Without control characters: a feed must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 140;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
