//! Words that a file says mean the same.

use std::collections::HashMap;
use std::path::Path;

use super::WordChange;
use super::words::{parts, replace};
use crate::error::{Location, TrainingError};
use crate::random::Random;

/// Words become others of their line in a file (synonym replacement of Wei and Zou, "EDA", 2019, without its dictionary, which
/// knows no domain).
#[derive(Debug)]
pub(super) struct Synonyms {
    /// The share of words that the file has which are replaced.
    rate: f64,
    /// For each word in lower case, what may take its place.
    others: HashMap<String, Vec<String>>,
}

impl Synonyms {
    /// Reads a file: on each line words with commas between them; what begins with `#` is a remark. Several words at once may take
    /// a word's place, but are not looked for.
    pub(super) fn load(path: &Path, rate: f64) -> Result<Self, TrainingError> {
        let content = std::fs::read_to_string(path)
            .map_err(|source| TrainingError::Unreadable { path: path.to_owned(), source })?;
        let mut others: HashMap<String, Vec<String>> = HashMap::new();
        for (index, line) in content.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split(',').map(str::trim).collect();
            if words.len() < 2 || words.contains(&"") {
                return Err(TrainingError::Row {
                    at: Location { path: path.into(), line: index as u64 + 1 },
                    field: "synonyms".to_owned(),
                    message: "a line has at least two words with a comma between them: `rise, climb`".to_owned(),
                });
            }
            for word in &words {
                let known = others.entry(word.to_lowercase()).or_default();
                known.extend(words.iter().filter(|other| *other != word).map(|other| (*other).to_owned()));
            }
        }
        Ok(Self { rate, others })
    }
}

impl WordChange for Synonyms {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        for word in words {
            let others = self.others.get(&parts(word).1.to_lowercase()).filter(|others| !others.is_empty());
            if let Some(others) = others.filter(|_| random.unit() < self.rate) {
                replace(word, &others[random.below(others.len())]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(content: &str) -> Result<Synonyms, TrainingError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("synonyms.txt");
        std::fs::write(&path, content).unwrap();
        Synonyms::load(&path, 1.0)
    }

    #[test]
    fn words_of_one_line_take_each_others_places() {
        let synonyms = load("# verbs\nrise, climb\n\nloss, red ink, deficit\nloss, shortfall\n").unwrap();
        let mut random = Random::new(1, "test");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let mut words: Vec<String> = ["Rise", "of", "losses", "loss."].map(str::to_owned).into();
            synonyms.change(&mut words, &mut random);
            seen.insert(words.join(" "));
        }
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        assert_eq!(
            seen,
            ["Climb of losses deficit.", "Climb of losses red ink.", "Climb of losses shortfall."],
            "other forms of a word are other words"
        );
    }

    #[test]
    fn a_line_of_one_word_is_refused_with_its_place() {
        for content in ["rise, climb\nloss\n", "rise, climb\nloss,\n"] {
            let message = load(content).unwrap_err().to_string();
            assert!(message.contains("synonyms.txt:2: synonyms"), "{message}");
        }
        let message = Synonyms::load(Path::new("/nowhere.txt"), 0.1).unwrap_err().to_string();
        assert!(message.contains("cannot read /nowhere.txt"), "{message}");
    }
}
