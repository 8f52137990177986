//! Queries, answers, and which of these are right for which; split by queries.

use std::collections::{BTreeSet, HashMap, HashSet};

use inference::cleaning::plain;

use super::RankingSettings;
use crate::dataset::{key, place_of};
use crate::error::TrainingError;
use crate::source::DataSource;

/// What the second text's column is called where a source does not say.
const ANSWER: &str = "answer";

/// Pairs of a query and an answer that is right for it, by their indices.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Distinct, in the order in which they were met.
    pub(super) queries: Vec<String>,
    /// Distinct, in the order in which they were met: the candidates of every query.
    pub(super) answers: Vec<String>,
    right: HashSet<(usize, usize)>,
    /// What is learned from.
    pub(super) train: Vec<(usize, usize)>,
    /// The queries that choose the epoch.
    pub(super) validation: Vec<usize>,
    /// The queries that are reported.
    pub(super) test: Vec<usize>,
    /// Rows without a query or without an answer, and pairs whose answer is right for a query that is measured.
    pub(super) left_out: usize,
}

impl Pairs {
    /// Reads and splits. A query's side is a function of its text alone, so that no query moves when rows are added; a pair whose
    /// answer is right for a query on another side is not learned from.
    pub(super) fn read(data: &[DataSource], settings: &RankingSettings) -> Result<Self, TrainingError> {
        let mut pairs = Self::default();
        let (mut queries, mut answers) = (HashMap::new(), HashMap::new());
        let mut met = Vec::new();
        for source in data {
            let column = source.text_pair.clone().unwrap_or_else(|| ANSWER.to_owned());
            for row in source.without_label().read_with(&[column])? {
                let (query, answer) = (plain(&row.text), plain(row.extra.first().map_or("", String::as_str)));
                if query.is_empty() || answer.is_empty() {
                    pairs.left_out += 1;
                    continue;
                }
                let pair =
                    (place(query, &mut queries, &mut pairs.queries), place(answer, &mut answers, &mut pairs.answers));
                if pairs.right.insert(pair) {
                    met.push(pair);
                }
            }
        }
        pairs.split(met, settings);
        pairs.check(data)
    }

    /// Whether an answer is right for a query.
    pub(super) fn is_right(&self, query: usize, answer: usize) -> bool {
        self.right.contains(&(query, answer))
    }

    /// SHA-256 over all distinct pairs, in the order in which their texts were first met.
    pub(super) fn digest(&self) -> String {
        let ordered: BTreeSet<(usize, usize)> = self.right.iter().copied().collect();
        let lines: Vec<String> = ordered
            .into_iter()
            .map(|(query, answer)| format!("{}\t{}\n", self.queries[query], self.answers[answer]))
            .collect();
        foundation::digest::sha256(lines.concat().as_bytes())
    }

    fn split(&mut self, met: Vec<(usize, usize)>, settings: &RankingSettings) {
        let mut learned = vec![false; self.queries.len()];
        for (query, text) in self.queries.iter().enumerate() {
            match place_of(text) {
                place if place < settings.test => self.test.push(query),
                place if place >= 1.0 - settings.validation => self.validation.push(query),
                _ => learned[query] = true,
            }
        }
        let measured: HashSet<usize> =
            met.iter().filter(|(query, _)| !learned[*query]).map(|(_, answer)| *answer).collect();
        let of_training = met.into_iter().filter(|(query, _)| learned[*query]);
        let (left_out, train) = of_training.partition(|(_, answer)| measured.contains(answer));
        self.left_out += Vec::len(&left_out);
        self.train = train;
    }

    fn check(self, data: &[DataSource]) -> Result<Self, TrainingError> {
        let distinct = |of: fn(&(usize, usize)) -> usize| self.train.iter().map(of).collect::<HashSet<_>>().len();
        let checks = [
            ("queries to learn from", distinct(|pair| pair.0), 2),
            ("answers to learn from", distinct(|pair| pair.1), 2),
            ("queries to validate on", self.validation.len(), 1),
            ("queries to test on", self.test.len(), 1),
        ];
        match checks.into_iter().find(|(_, found, minimum)| found < minimum) {
            None => Ok(self),
            Some((what, found, minimum)) => Err(TrainingError::TooFewPairs {
                files: data.iter().map(DataSource::name).collect::<Vec<_>>().join(", "),
                pairs: self.right.len(),
                found,
                what,
                minimum,
            }),
        }
    }
}

/// The index of a text among those met, which differ in more than case.
fn place(text: String, places: &mut HashMap<String, usize>, texts: &mut Vec<String>) -> usize {
    *places.entry(key(&text)).or_insert_with(|| {
        texts.push(text);
        texts.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[(String, String)]) -> Result<Pairs, TrainingError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pairs.csv");
        let rows: Vec<String> = rows.iter().map(|(query, answer)| format!("{query},{answer}\n")).collect();
        std::fs::write(&path, format!("text,answer\n{}", rows.concat())).unwrap();
        Pairs::read(&[DataSource::new(path)], &RankingSettings { validation: 0.2, test: 0.2, ..Default::default() })
    }

    fn numbered(rows: usize) -> Vec<(String, String)> {
        (0..rows).map(|row| (format!("query {row}"), format!("answer {row}"))).collect()
    }

    #[test]
    fn a_query_stays_on_its_side_when_rows_are_added() {
        let (few, many) = (read(&numbered(60)).unwrap(), read(&numbered(300)).unwrap());
        let early = |places: &[usize]| places.iter().copied().filter(|place| *place < 60).collect::<Vec<_>>();
        assert_eq!((early(&many.test), early(&many.validation)), (few.test.clone(), few.validation.clone()));
        assert_eq!(few.train.len() + few.validation.len() + few.test.len(), 60);
        assert_ne!(few.digest(), many.digest());
    }

    #[test]
    fn an_answer_of_a_measured_query_is_not_learned() {
        let mut rows = numbered(60);
        let plain = read(&rows).unwrap();
        let (learned, _) = plain.train[0];
        let tested = plain.test[0];
        // A learned query has a tested query's answer, too, in other letters.
        rows.push((format!("QUERY {learned}"), format!("Answer {tested}")));
        rows.push((format!("query {learned}"), " ".to_owned()));
        let pairs = read(&rows).unwrap();
        assert_eq!((pairs.queries.len(), pairs.answers.len(), pairs.left_out), (60, 60, 2));
        assert_eq!(pairs.train, plain.train);
        assert!(
            pairs.is_right(learned, tested) && pairs.is_right(learned, learned) && !pairs.is_right(tested, learned)
        );
    }

    #[test]
    fn too_few_pairs_are_refused_with_what_is_missing() {
        let refusal = |rows: &[(String, String)]| read(rows).unwrap_err().to_string();
        assert!(refusal(&numbered(1)).contains("1 distinct pairs leave"), "{}", refusal(&numbered(1)));
        let one_query: Vec<_> = (0..60).map(|row| ("query".to_owned(), format!("answer {row}"))).collect();
        assert!(refusal(&one_query).contains("queries to learn from"), "{}", refusal(&one_query));
        let one_answer: Vec<_> = (0..60).map(|row| (format!("query {row}"), "answer".to_owned())).collect();
        assert!(refusal(&one_answer).contains("leave 0 "), "{}", refusal(&one_answer));
    }

    #[test]
    fn a_file_without_answers_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pairs.csv");
        std::fs::write(&path, "text\nquery\n").unwrap();
        let source = DataSource::new(path);
        let refusal = Pairs::read(&[source], &RankingSettings::default()).unwrap_err().to_string();
        assert!(refusal.contains("there is no column \"answer\""), "{refusal}");
    }
}
