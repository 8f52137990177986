//! Rows that lie in ClickHouse or Kafka. This crate knows neither: whoever runs it fetches the rows into files first.

use std::path::Path;

use super::{Agreement, DataSource, Format};
use crate::error::TrainingError;

/// The most of a query's text that names it in messages.
const SHOWN_CHARACTERS: usize = 60;

/// Where rows lie that are not in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote<'a> {
    /// The answer to a ClickHouse query.
    Query(&'a str),
    /// The messages of a Kafka topic.
    Topic(&'a str),
}

impl DataSource {
    /// The query or the topic. Its rows must be fetched (`fetched`) before anything reads them.
    pub fn remote(&self) -> Option<Remote<'_>> {
        let query = self.query.as_deref().map(Remote::Query);
        query.or_else(|| self.topic.as_deref().map(Remote::Topic))
    }

    /// What it is called in messages and reports: the file's path, the topic, the beginning of the query.
    pub fn name(&self) -> String {
        match self.remote() {
            None => self.path.display().to_string(),
            Some(Remote::Topic(topic)) => format!("topic {topic}"),
            Some(Remote::Query(query)) => {
                let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
                match line.char_indices().nth(SHOWN_CHARACTERS) {
                    Some((end, _)) => format!("query {:?}", format!("{}…", &line[..end])),
                    None => format!("query {line:?}"),
                }
            }
        }
    }

    /// The file that holds the rows.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NotFetched`] where nobody has fetched the rows of a query or a topic.
    pub(crate) fn file(&self) -> Result<&Path, TrainingError> {
        match (self.remote(), &self.fetched) {
            (None, _) => Ok(&self.path),
            (Some(_), Some(file)) => Ok(file),
            (Some(_), None) => Err(TrainingError::NotFetched { name: self.name() }),
        }
    }

    /// What is wrong with its values, and what would mend it.
    pub fn fault(&self) -> Option<&'static str> {
        let given = [!self.path.as_os_str().is_empty(), self.query.is_some(), self.topic.is_some()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Some("needs one of `path`, `query` and `topic` for each of its sources");
        }
        if [&self.query, &self.topic].into_iter().flatten().any(|text| text.trim().is_empty()) {
            return Some("has a `query` or a `topic` without a word in it");
        }
        if self.document_words.is_some() && !matches!(self.resolved_format(), Ok(Format::Conll)) {
            return Some("has document_words, which join the texts of files in the format \"conll\" alone");
        }
        if matches!(self.agreement, Some(Agreement::OfAll(share)) if !(share > 0.0 && share <= 1.0)) {
            return Some("has an agreement that is no share, which is a number above 0 and up to 1");
        }
        let plain = DataSource::new("");
        let of_a_file = self.format.is_some()
            || self.encoding != plain.encoding
            || self.header != plain.header
            || self.separator.is_some();
        let message =
            "has a format, an encoding, no header or a separator, which only files have, for a query or a topic";
        (self.remote().is_some() && of_a_file).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Format;

    fn source(text: &str) -> DataSource {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn fetched_rows_are_read_under_the_name_of_where_they_lay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.ndjson");
        std::fs::write(&file, "{\"a\":{\"b\":\"up\"},\"label\":1}\n{\"a\":1}\n").unwrap();
        let mut topic = source("topic = \"labelled\"\ntext = \"/a/b\"");
        let message = topic.read().unwrap_err().to_string();
        assert!(message.starts_with("topic labelled: the rows are not here"), "{message}");
        topic.fetched = Some(file.clone());
        let message = topic.read().unwrap_err().to_string();
        assert!(message.starts_with("topic labelled:2: /a/b: is missing; the object's keys are: a"), "{message}");
        std::fs::write(&file, "{\"a\":{\"b\":\"up\"},\"label\":1}\n").unwrap();
        let rows = topic.read().unwrap();
        assert_eq!((rows[0].text.as_str(), rows[0].label.as_str()), ("up", "1"));
        assert_eq!(topic.resolved_format().unwrap(), Format::Ndjson);
    }

    #[test]
    fn a_query_is_named_by_its_beginning() {
        assert_eq!(source("query = \"SELECT\\n  1\"").name(), "query \"SELECT 1\"");
        let long = source(&format!("query = \"SELECT {}\"", "é".repeat(99)));
        assert_eq!(long.name(), format!("query \"SELECT {}…\"", "é".repeat(SHOWN_CHARACTERS - 7)));
    }

    #[test]
    fn one_place_with_its_own_settings_is_needed() {
        let check = |text: &str, expected: Option<&str>| {
            let fault = source(text).fault();
            assert!(
                fault.map_or(expected.is_none(), |fault| expected.is_some_and(|words| fault.contains(words))),
                "{text}"
            );
        };
        check("path = \"a.csv\"\nheader = false", None);
        check("query = \"SELECT 1\"\nlabel_separator = \";\"", None);
        check("topic = \"a\"", None);
        check("text = \"a\"", Some("one of"));
        check("path = \"a.csv\"\ntopic = \"a\"", Some("one of"));
        check("query = \" \"", Some("without a word"));
        check("topic = \"a\"\nformat = \"csv\"", Some("only files have"));
        check("query = \"SELECT 1\"\nheader = false", Some("only files have"));
    }
}
