//! Leakage: test texts that a model has seen, so that its test says too much of it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::SHOWN;
use super::duplicates::{Distinct, Text};
use super::place::TextAt;
use crate::dataset::pairing::{Pair, SIMILARITY, across, sketches};

/// Test rows whose texts the data holds too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// Test rows with a text.
    pub test_rows: usize,
    /// Whose text is one of the data; case and spaces do not count. Training leaves such rows of the data out.
    pub exact: Leaks,
    /// Whose text is almost one of the data, and not exactly.
    pub near: Leaks,
    /// The least Jaccard similarity of the word shingles in `near`, from 0 to 1.
    pub similarity: f64,
    /// Whether every pair was looked at; a template with hundreds of copies is looked at in part.
    pub complete: bool,
}

/// Test rows of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Leaks {
    /// Test rows.
    pub rows: usize,
    /// Their share of the test rows, from 0 to 1.
    pub share: f64,
    /// Test rows whose label the text does not have in the data.
    pub other_label_rows: usize,
    /// The first [`SHOWN`] texts, in the test's order; of near ones the most similar.
    pub shown: Vec<Leak>,
}

/// A test text and its like in the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// In the test.
    pub test: TextAt,
    /// In the data.
    pub data: TextAt,
    /// The Jaccard similarity of their word shingles, 1 for an exact one.
    pub similarity: f64,
}

impl Leakage {
    pub(super) fn find(data: &Distinct<'_>, test: &Distinct<'_>) -> Self {
        let test_rows = test.texts.iter().map(|text| text.rows().count()).sum();
        let (mut exact, mut near) = (Leaks::default(), Leaks::default());
        let mut others = Vec::new();
        for text in &test.texts {
            match data.find(&text.first.text) {
                Some(same) => exact.add(text, same, 1.0),
                None => others.push(text),
            }
        }
        let (mut closest, complete) = closest(data, &others);
        closest.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.right.cmp(&b.right)));
        for pair in closest {
            near.add(others[pair.right], &data.texts[pair.left], pair.similarity);
        }
        for leaks in [&mut exact, &mut near] {
            leaks.share = if test_rows == 0 { 0.0 } else { leaks.rows as f64 / test_rows as f64 };
        }
        Self { test_rows, exact, near, similarity: SIMILARITY, complete }
    }
}

/// For each test text that has near-duplicates in the data: the most similar one, the earliest of equals.
fn closest(data: &Distinct<'_>, test: &[&Text<'_>]) -> (Vec<Pair>, bool) {
    let of_data = sketches(data.texts.iter().map(|text| text.first.text.as_str()));
    let of_test = sketches(test.iter().map(|text| text.first.text.as_str()));
    let mut closest: HashMap<usize, Pair> = HashMap::new();
    let complete = across(&of_data, &of_test, |pair| {
        let best = closest.entry(pair.right).or_insert(pair);
        let order = pair.similarity.total_cmp(&best.similarity).then(best.left.cmp(&pair.left));
        if order.is_gt() {
            *best = pair;
        }
    });
    (closest.into_values().collect(), complete)
}

impl Leaks {
    fn add(&mut self, test: &Text<'_>, data: &Text<'_>, similarity: f64) {
        for row in test.rows() {
            self.rows += 1;
            self.other_label_rows += usize::from(data.rows().all(|known| known.label != row.label));
        }
        if self.shown.len() < SHOWN {
            self.shown.push(Leak { test: TextAt::of(test.first), data: TextAt::of(data.first), similarity });
        }
    }
}
