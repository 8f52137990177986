//! The rows that both sides train on.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Context as _;
use inference::cleaning::plain;
use training::dataset::key;
use training::{DataSource, Encoding, Format};

/// The most tokens of a text.
pub(super) const MOST_TOKENS: usize = 64;

/// Rows of each label that the training run wants for its validation and test sides.
const HELD_OUT: usize = 10;

/// Words that surely make more than [`MOST_TOKENS`] tokens: no word is less than one.
const LONG_WORDS: usize = MOST_TOKENS;

/// A text and its label.
pub(super) type Row = (String, String);

pub(super) struct Rows {
    pub(super) train: Vec<Row>,
    pub(super) held_out: Vec<Row>,
}

/// Rows of Financial PhraseBank, spread evenly over the file, each text once.
pub(super) fn phrasebank(data: &Path, count: usize) -> anyhow::Result<Rows> {
    let source = DataSource {
        format: Some(Format::Separated),
        encoding: Encoding::Latin1,
        ..DataSource::new(data.join("financial-phrasebank/Sentences_50Agree.txt"))
    };
    let mut met = HashSet::new();
    let rows: Vec<Row> = source
        .read()?
        .into_iter()
        .map(|row| (plain(&row.text), row.label.trim().to_owned()))
        .filter(|(text, _)| met.insert(key(text)))
        .collect();
    let mut taken = BTreeMap::<String, usize>::new();
    let (held_out, rest): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|(_, label)| {
        let taken = taken.entry(label.clone()).or_default();
        *taken += 1;
        *taken <= HELD_OUT
    });
    anyhow::ensure!(count > 0 && count <= rest.len(), "--rows must be 1 to {}", rest.len());
    let all = rest.len();
    let chosen = rest.into_iter().enumerate().filter(|(index, _)| index * count / all != (index + 1) * count / all);
    Ok(Rows { train: chosen.map(|(_, row)| row).collect(), held_out })
}

/// Texts joined until the longest input cuts each of them: all have the same number of tokens.
pub(super) fn of_one_length(rows: &Rows) -> Rows {
    let (mut train, mut text, mut words) = (Vec::new(), String::new(), 0);
    for (next, label) in &rows.train {
        words += next.split(' ').count();
        text = format!("{text} {next}");
        if words >= LONG_WORDS {
            train.push((std::mem::take(&mut text), label.clone()));
            words = 0;
        }
    }
    Rows { train, held_out: rows.held_out.clone() }
}

pub(super) fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let line = |(text, label): &Row| serde_json::json!({ "text": text, "label": label }).to_string() + "\n";
    std::fs::write(path, rows.iter().map(line).collect::<String>())
        .with_context(|| format!("cannot write {}", path.display()))
}
