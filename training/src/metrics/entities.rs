//! Entities found in texts, counted as the CoNLL shared tasks count them: one is right if its type and all its words are.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::LabelMetrics;
use crate::tags::{Entity, Tag, entities};

/// How well a head finds entities (Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityReport {
    /// The head's name.
    pub head: String,
    /// Texts measured.
    pub rows: usize,
    /// Their words.
    pub words: usize,
    /// The share of words with the true tag.
    pub word_accuracy: f64,
    /// The share of entities found that are right; 0 if there is none.
    pub precision: f64,
    /// The share of true entities that are found; 0 if there is none.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// True entities.
    pub support: u64,
    /// The same by type of entity, in the alphabet's order.
    pub types: Vec<LabelMetrics>,
}

/// Entities of one type.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    right: u64,
    found: u64,
    truly: u64,
}

impl EntityReport {
    /// Counts the entities of texts. `labels` are tags, and `texts` yields (true, predicted) indices into them, one for each word.
    pub fn of<'a>(head: &str, labels: &[String], texts: impl IntoIterator<Item = (&'a [usize], &'a [usize])>) -> Self {
        let tags: Vec<Tag<'_>> = labels.iter().map(|label| Tag::parse(label).unwrap_or(Tag::Outside)).collect();
        let entities_of = |words: &[usize]| entities(words.iter().map(|word| tags[*word]));
        let mut types: BTreeMap<&str, Counts> =
            tags.iter().filter_map(|tag| Some((tag.kind()?, Counts::default()))).collect();
        let (mut rows, mut words, mut right_words) = (0, 0, 0);
        for (truth, predicted) in texts {
            rows += 1;
            words += truth.len();
            right_words += truth.iter().zip(predicted).filter(|(truth, predicted)| truth == predicted).count();
            let (truth, found): (Vec<Entity<'_>>, _) = (entities_of(truth), entities_of(predicted));
            for entity in &found {
                let counts = types.entry(entity.kind).or_default();
                counts.found += 1;
                counts.right += u64::from(truth.contains(entity));
            }
            truth.iter().for_each(|entity| types.entry(entity.kind).or_default().truly += 1);
        }
        let sum = types.values().fold(Counts::default(), |sum, counts| Counts {
            right: sum.right + counts.right,
            found: sum.found + counts.found,
            truly: sum.truly + counts.truly,
        });
        let LabelMetrics { precision, recall, f1, support, .. } = sum.metrics("");
        Self {
            head: head.to_owned(),
            rows,
            words,
            word_accuracy: ratio(right_words as u64, words as u64),
            precision,
            recall,
            f1,
            support,
            types: types.iter().map(|(kind, counts)| counts.metrics(kind)).collect(),
        }
    }
}

impl Counts {
    fn metrics(self, label: &str) -> LabelMetrics {
        LabelMetrics {
            label: label.to_owned(),
            precision: ratio(self.right, self.found),
            recall: ratio(self.right, self.truly),
            f1: ratio(2 * self.right, self.found + self.truly),
            support: self.truly,
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for EntityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = "all entities".to_owned();
        let Self { precision, recall, f1, support, .. } = *self;
        let all = LabelMetrics { label: all, precision, recall, f1, support };
        let first = format!("{} ({} texts)", self.head, self.rows);
        let rows = || self.types.iter().chain([&all]);
        let width = rows().map(|row| row.label.chars().count()).chain([first.chars().count()]).max().unwrap_or(0);
        writeln!(f, "{first:<width$}  precision  recall      F1  entities")?;
        for row in rows() {
            let LabelMetrics { label, precision, recall, f1, support } = row;
            writeln!(f, "{label:<width$}  {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {support:>8}")?;
        }
        write!(f, "{:.4} of {} words have the true tag", self.word_accuracy, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 5] = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"];

    fn of(texts: &[(&str, &str)]) -> EntityReport {
        let labels = LABELS.map(str::to_owned);
        let indices = |tags: &str| -> Vec<usize> {
            tags.split(' ').map(|tag| LABELS.iter().position(|label| *label == tag).unwrap()).collect()
        };
        let texts: Vec<_> = texts.iter().map(|(truth, predicted)| (indices(truth), indices(predicted))).collect();
        EntityReport::of("ner", &labels, texts.iter().map(|(truth, predicted)| (&truth[..], &predicted[..])))
    }

    #[test]
    fn figures_are_those_counted_by_hand() {
        let report = of(&[
            // One person right, one place too long.
            ("B-PER I-PER O B-LOC O", "B-PER I-PER O B-LOC I-LOC"),
            // A place that is taken for a person, and one that is missed.
            ("B-LOC O B-LOC", "B-PER O O"),
            // Right without its B-: what an I- follows nothing of begins an entity.
            ("O B-PER I-PER", "O I-PER I-PER"),
        ]);
        let figures = |metrics: &LabelMetrics| {
            (metrics.label.clone(), metrics.precision, metrics.recall, metrics.f1, metrics.support)
        };
        let types: Vec<_> = report.types.iter().map(figures).collect();
        // Persons: 2 right of 3 found, of 2 true. Places: 0 right of 1 found, of 3 true.
        assert_eq!(types, [("LOC".to_owned(), 0.0, 0.0, 0.0, 3), ("PER".to_owned(), 2.0 / 3.0, 1.0, 0.8, 2)]);
        assert_eq!((report.precision, report.recall, report.support), (0.5, 0.4, 5));
        assert!((report.f1 - 4.0 / 9.0).abs() < 1e-12);
        assert_eq!((report.rows, report.words, report.word_accuracy), (3, 11, 7.0 / 11.0));
        let table = report.to_string();
        assert!(table.contains("all entities") && table.contains("0.4444"), "{table}");
    }

    #[test]
    fn texts_without_entities_have_no_figures() {
        let report = of(&[("O O", "O O")]);
        assert_eq!((report.precision, report.recall, report.f1, report.word_accuracy), (0.0, 0.0, 0.0, 1.0));
    }
}
