//! An explanation on a terminal: the text with its words in colours, and in figures those that count most.

use std::fmt;

use inference::TaskKind;

use super::{Attribution, Explanation};

/// Words of each direction that are named with their figures.
const NAMED: usize = 6;
/// Words weaker than this share of the strongest one have no colour.
const FAINT: f64 = 0.1;
/// Backgrounds of the 256 colours, from weak to strong, for words that raise the answer: blue, which those who see no green tell
/// from orange as well.
const RAISING: [u8; 4] = [195, 153, 117, 75];
/// The same for words that lower it.
const LOWERING: [u8; 4] = [230, 223, 216, 208];

impl fmt::Display for Explanation {
    /// Without colours; no line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(&self.text))
    }
}

/// A piece of a text.
pub(super) enum Piece<'a> {
    /// A word that the model reads, with its strength: -1 to 1, where 1 is the size of the strongest word's attribution.
    Word(&'a Attribution, f64),
    /// What stands between words.
    Between(&'a str),
    /// What stands beyond the longest input.
    Unread(&'a str),
}

impl Explanation {
    /// The same lines as [`Display`](fmt::Display) gives, with escape sequences that colour the words.
    pub fn coloured(&self) -> String {
        let text: String = self.pieces().into_iter().map(coloured).collect();
        self.lines(&text)
    }

    /// The text in pieces.
    pub(super) fn pieces(&self) -> Vec<Piece<'_>> {
        let strongest = self.words.iter().map(|word| word.attribution.abs()).fold(0.0, f64::max);
        let places: Vec<usize> = self.text.char_indices().map(|(place, _)| place).chain([self.text.len()]).collect();
        let (mut pieces, mut end) = (Vec::new(), 0);
        for word in &self.words {
            let strength = if strongest > 0.0 { word.attribution / strongest } else { 0.0 };
            pieces.extend([Piece::Between(&self.text[places[end]..places[word.start]]), Piece::Word(word, strength)]);
            end = word.end;
        }
        let rest = &self.text[places[end]..];
        pieces.push(if self.cut { Piece::Unread(rest) } else { Piece::Between(rest) });
        pieces
    }

    /// `sentiment: positive 0.9312 (0.2110 with padding for words)`.
    pub(super) fn heading(&self) -> String {
        let (answer, baseline) = (self.figure(self.answer), self.figure(self.baseline));
        format!("{}: {} {answer} ({baseline} with padding for words)", self.head, self.label)
    }

    /// The completeness error, and what else a reader should know.
    pub(super) fn remarks(&self) -> String {
        let error = 100.0 * self.completeness_error;
        let mut remarks = format!("completeness error {error:.2} % in {} steps", self.steps);
        if !self.complete {
            remarks.push_str(", which is too much: take the figures for no more than a hint");
        }
        if self.words.is_empty() {
            remarks.push_str("; the model reads no word of this text");
        }
        if self.cut {
            let read = self.words.last().map_or(0, |word| word.end);
            remarks.push_str(&format!("; the model reads the first {read} characters alone"));
        }
        remarks
    }

    /// An answer or an attribution in digits: four decimals of a probability, four that count of other numbers.
    pub(super) fn figure(&self, value: f64) -> String {
        match self.kind {
            TaskKind::Regression => {
                let size = self.answer.abs().max(self.baseline.abs());
                let decimals = 3 - size.max(1e-6).log10().floor() as i32;
                format!("{value:.*}", decimals.max(0) as usize)
            }
            _ => format!("{value:.4}"),
        }
    }

    fn lines(&self, text: &str) -> String {
        let mut lines = vec![self.heading(), text.to_owned()];
        for (title, sign) in [("raise it", 1.0), ("lower it", -1.0)] {
            lines.extend(self.strongest(sign).map(|words| format!("  {title}: {words}")));
        }
        lines.push(format!("  {}", self.remarks()));
        lines.join("\n")
    }

    /// The strongest words of a sign with their attributions; none if there are none that show.
    fn strongest(&self, sign: f64) -> Option<String> {
        let mut words: Vec<&Attribution> = self.words.iter().filter(|word| sign * word.attribution > 0.0).collect();
        words.sort_by(|left, right| right.attribution.abs().total_cmp(&left.attribution.abs()));
        let named = |word: &&Attribution| {
            let figure = self.figure(word.attribution.abs());
            let shows = figure.contains(|digit| matches!(digit, '1'..='9'));
            shows.then(|| format!("{} {}{figure}", word.word, if sign > 0.0 { '+' } else { '-' }))
        };
        let named: Vec<String> = words.iter().take(NAMED).filter_map(named).collect();
        (!named.is_empty()).then(|| named.join("  "))
    }
}

fn coloured(piece: Piece<'_>) -> String {
    match piece {
        Piece::Between(text) => text.to_owned(),
        Piece::Unread(text) => format!("\u{1b}[2m{text}\u{1b}[0m"),
        Piece::Word(word, strength) if strength.abs() < FAINT => word.word.clone(),
        Piece::Word(word, strength) => {
            let colours = if strength > 0.0 { RAISING } else { LOWERING };
            let level = (strength.abs() * colours.len() as f64).ceil() as usize;
            let colour = colours[level.clamp(1, colours.len()) - 1];
            format!("\u{1b}[48;5;{colour};38;5;16m{}\u{1b}[0m", word.word)
        }
    }
}

#[cfg(test)]
mod tests;
