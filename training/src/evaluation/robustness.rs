//! The same rows disturbed: what a model's answers hang on.

use inference::Model;
use serde::Serialize;

use super::{Predictions, SEED, predict};
use crate::augmentation::{Augmenter, Case, Deletion, Letters, Punctuation, Spacing, Swap, Typos};
use crate::dataset::Row;
use crate::error::TrainingError;
use crate::metrics::Confusion;
use crate::random::Random;

/// The share of words that a perturbation changes.
const RATE: f64 = 0.1;

/// A model's figures on perturbed rows: the invariance tests of Ribeiro and others, "Beyond Accuracy: Behavioral Testing of NLP
/// Models with CheckList", 2020. None of the perturbations should change an answer, but for words that go or change places, which
/// now and then do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Robustness {
    /// The lowest accuracy first.
    pub perturbations: Vec<Perturbation>,
}

/// Figures of the rows with one perturbation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Perturbation {
    /// What was done: `typos in 10 % of words`.
    pub name: String,
    /// Rows whose texts it changed.
    pub changed_rows: usize,
    /// The share of all rows whose likeliest label is the true one.
    pub accuracy: f64,
    /// The mean F1 of the labels.
    pub macro_f1: f64,
    /// Rows whose likeliest label is another one than without it.
    pub flipped_rows: usize,
    /// The same as a share of all rows, from 0 to 1.
    pub flipped: f64,
}

impl Robustness {
    /// Disturbs the rows that `predictions` were made of in each way, by a seed that is always the same, and asks the same head.
    ///
    /// # Errors
    ///
    /// As [`predict()`].
    pub fn measure(model: &mut dyn Model, rows: &[Row], predictions: &Predictions) -> Result<Self, TrainingError> {
        let mut measured = Vec::new();
        for (name, augmenter) in perturbations() {
            let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
            let texts = augmenter.augment(&texts, &mut Random::new(SEED, &name))?;
            let changed_rows = texts.iter().zip(rows).filter(|(text, row)| **text != row.text).count();
            let named = |(row, text): (&Row, String)| Row { text, ..row.clone() };
            let rows: Vec<Row> = rows.iter().zip(texts).map(named).collect();
            let disturbed = predict(model, &rows, Some(predictions.head()))?;
            measured.push(Perturbation::of(name, changed_rows, predictions, &disturbed));
        }
        measured.sort_by(|one, other| {
            one.accuracy.total_cmp(&other.accuracy).then_with(|| other.flipped_rows.cmp(&one.flipped_rows))
        });
        Ok(Self { perturbations: measured })
    }
}

impl Perturbation {
    fn of(name: String, changed_rows: usize, before: &Predictions, after: &Predictions) -> Self {
        let flipped_rows = before.pairs().zip(after.pairs()).filter(|((_, one), (_, other))| one != other).count();
        let confusion = Confusion::of(after.labels().len(), after.pairs());
        Self {
            name,
            changed_rows,
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            flipped_rows,
            flipped: flipped_rows as f64 / before.len().max(1) as f64,
        }
    }
}

fn perturbations() -> Vec<(String, Box<dyn Augmenter>)> {
    let share = format!("{:.0} % of words", 100.0 * RATE);
    let case = |letters| -> Box<dyn Augmenter> { Box::new(Case { rate: 1.0, letters: Some(letters) }) };
    vec![
        (format!("typos in {share}"), Box::new(Typos { rate: RATE })),
        (format!("{share} left out"), Box::new(Deletion { rate: RATE })),
        (format!("{share} swapped"), Box::new(Swap { rate: RATE })),
        (format!("other marks after {share}"), Box::new(Punctuation { rate: RATE })),
        (format!("spaces lost or added at {share}"), Box::new(Spacing { rate: RATE })),
        ("UPPER CASE".to_owned(), case(Letters::Upper)),
        ("lower case".to_owned(), case(Letters::Lower)),
    ]
}

#[cfg(test)]
mod tests {
    use inference::{Head, InferenceError, Scores};

    use super::*;
    use crate::error::Location;

    /// Calls a text `up` if it has the word, written just so.
    struct Reader([Head; 1]);

    impl Model for Reader {
        fn heads(&self) -> &[Head] {
            &self.0
        }

        fn version(&self) -> &str {
            "1"
        }

        fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
            let sure = |text: &&str| text.split(' ').any(|word| word == "rises");
            let scores = |text| Scores::new([Box::from(if sure(text) { [0.1f32, 0.9] } else { [0.9, 0.1] })]);
            Ok(texts.iter().map(scores).collect())
        }
    }

    fn rows() -> Vec<Row> {
        let row = |line: u64| Row {
            text: if line.is_multiple_of(2) { "Profit of it rises" } else { "Profit of it falls" }.to_owned(),
            agreement: 1.0,
            label: if line.is_multiple_of(2) { "up" } else { "down" }.to_owned(),
            extra: Vec::new(),
            at: Location { path: std::path::Path::new("rows.csv").into(), line },
        };
        (0..400).map(row).collect()
    }

    #[test]
    fn what_the_model_hangs_on_comes_first() {
        let (mut model, rows) = (Reader([Head::new("tone", ["down", "up"])]), rows());
        let predictions = predict(&mut model, &rows, None).unwrap();
        let robustness = Robustness::measure(&mut model, &rows, &predictions).unwrap();
        assert_eq!(robustness, Robustness::measure(&mut model, &rows, &predictions).unwrap());
        let found = &robustness.perturbations;
        // Nothing is read in upper case: a half of the rows is wrong, and each of these was right.
        let worst = Perturbation {
            name: "UPPER CASE".to_owned(),
            changed_rows: 400,
            accuracy: 0.5,
            macro_f1: 1.0 / 3.0,
            flipped_rows: 200,
            flipped: 0.5,
        };
        assert_eq!(found[0], worst);
        assert!(found.is_sorted_by_key(|perturbation| perturbation.accuracy), "{found:?}");
        let named = |part: &str| found.iter().find(|perturbation| perturbation.name.contains(part)).unwrap();
        assert_eq!((named("lower").changed_rows, named("lower").flipped_rows), (400, 0));
        assert_eq!((named("swapped").changed_rows, named("swapped").accuracy), (400, 1.0));
        // A tenth of the rows that say so lose their word, and one in four of the words is spared; a typo in it always counts.
        let (left_out, typos) = (named("left out"), named("typos"));
        assert!((0.02..0.06).contains(&left_out.flipped), "{left_out:?}");
        assert!(
            (0.02..0.08).contains(&typos.flipped) && (typos.accuracy + typos.flipped - 1.0).abs() < 1e-9,
            "{typos:?}"
        );
    }
}
