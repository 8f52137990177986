//! Texts that a command says in other words.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use foundation::progress::{Progress, Unit};

use super::Augmenter;
use crate::error::TrainingError;
use crate::random::Random;

/// The characters that an error shows of what a command said last.
const SHOWN: usize = 600;

/// Texts go through a command, which translates them into another language and back (Sennrich and others, "Improving Neural
/// Machine Translation Models with Monolingual Data", 2016; for classes, Xie and others, "Unsupervised Data Augmentation", 2020),
/// or says them in other words in any way it likes: one text a line in, one a line out, in the same order.
#[derive(Debug)]
pub(super) struct BackTranslation {
    /// A program and its arguments.
    pub(super) command: Vec<String>,
}

impl BackTranslation {
    fn failed(&self, message: impl Into<String>, said: &[u8]) -> TrainingError {
        let said = String::from_utf8_lossy(said);
        let start = said.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        TrainingError::Command {
            command: self.command.join(" "),
            message: message.into(),
            said: said[start..].trim().to_owned(),
        }
    }
}

impl Augmenter for BackTranslation {
    fn augment(&self, texts: &[&str], _random: &mut Random) -> Result<Vec<String>, TrainingError> {
        let Some((program, arguments)) = self.command.split_first().filter(|_| !texts.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.failed(format!("cannot be started: {error}"), &[]))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let progress = Progress::start("translating", Some(texts.len() as u64), Unit::Items("texts"));
        let mut lines: Vec<Vec<u8>> = Vec::with_capacity(texts.len());
        // All three at once: a pipe that nobody empties would stop the command.
        let (read, said) = std::thread::scope(|scope| {
            // What a command does not read it does not answer, which is noticed below.
            scope.spawn(|| input.map(|mut input| texts.iter().try_for_each(|text| writeln!(input, "{text}"))));
            let said = scope.spawn(|| {
                let mut said = Vec::new();
                errors.map(|mut errors| errors.read_to_end(&mut said));
                said
            });
            let read = output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n'));
            let read = read.into_iter().try_for_each(|line| {
                progress.advance(1);
                line.map(|line| lines.push(line))
            });
            (read, said.join().unwrap_or_default())
        });
        let status = child.wait();
        progress.finish();
        match (read, status) {
            (Err(error), _) | (_, Err(error)) => return Err(self.failed(format!("cannot be read: {error}"), &said)),
            (_, Ok(status)) if !status.success() => return Err(self.failed(format!("failed: {status}"), &said)),
            _ => {}
        }
        if lines.len() != texts.len() {
            let message = format!("wrote {} lines for {} texts: it must write one for each", lines.len(), texts.len());
            return Err(self.failed(message, &said));
        }
        let text = |(index, line): (usize, Vec<u8>)| {
            String::from_utf8(line)
                .map_err(|_| self.failed(format!("wrote line {}, which is not UTF-8", index + 1), &said))
        };
        lines.into_iter().enumerate().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(script: &str, texts: &[&str]) -> Result<Vec<String>, TrainingError> {
        let command = ["sh", "-c", script].map(str::to_owned).into();
        BackTranslation { command }.augment(texts, &mut Random::new(1, "test"))
    }

    #[test]
    fn lines_go_in_and_come_out() {
        assert_eq!(translate("tr a-z A-Z", &["profit up", "ü"]).unwrap(), ["PROFIT UP", "ü"]);
        // Far more than pipes hold, on all of them at once.
        let long = "x".repeat(1000);
        let texts = vec![long.as_str(); 2000];
        assert_eq!(translate("tee /dev/stderr", &texts).unwrap(), texts);
        assert!(translate("exit 3", &[]).unwrap().is_empty());
    }

    #[test]
    fn a_command_that_fails_is_told_with_what_it_said() {
        let check = |script: &str, parts: &[&str]| {
            let message = translate(script, &["a", "b"]).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        };
        check("cat > /dev/null; echo no model >&2; exit 3", &["sh -c", "exit status: 3", "no model"]);
        check("exit 3", &["exit status: 3"]);
        check("head -n 1", &["wrote 1 lines for 2 texts"]);
        check("cat; echo more", &["wrote 3 lines for 2 texts"]);
        check("cat > /dev/null; printf '\\377\\nb\\n'", &["line 1, which is not UTF-8"]);
        let absent = BackTranslation { command: vec!["/nowhere/translate".to_owned()] };
        let message = absent.augment(&["a"], &mut Random::new(1, "test")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/translate") && message.contains("cannot be started"), "{message}");
    }
}
