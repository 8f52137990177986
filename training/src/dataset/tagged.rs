//! Rows of texts whose words have tags: what a task of named entities learns from.
//!
//! Such a row's text is words with a space between them, and its label as many tags.

use std::collections::{BTreeMap, BTreeSet};

use super::{LabelSet, MINIMUM_ROWS, Row, Target};
use crate::error::TrainingError;
use crate::run::Task;
use crate::source::DataSource;
use crate::tags::{OUTSIDE, Tag, repaired};

/// A row's words.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// A row with its tags in the form in which every entity begins with `B-`.
///
/// # Errors
///
/// [`TrainingError::Row`] for what is no tag, or another number of tags than of words.
pub(crate) fn checked(row: Row) -> Result<Row, TrainingError> {
    let refused = |message: String| TrainingError::Row { at: row.at.clone(), field: "label".to_owned(), message };
    let tags = row.label.split_whitespace().map(|tag| {
        Tag::parse(tag).ok_or_else(|| refused(format!("{tag:?} is no tag: B-TYPE, I-TYPE or O is, one for each word")))
    });
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    let words = words(&row.text).len();
    if tags.len() != words {
        return Err(refused(format!("has {} tags for {words} words, which white space parts", tags.len())));
    }
    let label = repaired(&tags).iter().map(Tag::to_string).collect::<Vec<_>>().join(" ");
    Ok(Row { label, ..row })
}

/// The tags of all types that checked rows have: `O`, then each type's two in the alphabet's order.
///
/// # Errors
///
/// [`TrainingError::OneClass`] without any entity, [`TrainingError::TooFewRows`] for a type in fewer than [`MINIMUM_ROWS`] rows.
pub(super) fn labels(task: &Task, rows: &[Row]) -> Result<LabelSet, TrainingError> {
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let found: BTreeSet<&str> = row.label.split(' ').filter_map(|tag| Tag::parse(tag)?.kind()).collect();
        found.into_iter().for_each(|kind| *types.entry(kind).or_default() += 1);
    }
    if types.is_empty() {
        let files: Vec<_> = task.data.iter().map(DataSource::name).collect();
        return Err(TrainingError::OneClass {
            task: task.name.clone(),
            label: Some(OUTSIDE.to_owned()).filter(|_| !rows.is_empty()),
            files: files.join(", "),
        });
    }
    if let Some((kind, rows)) = types.iter().find(|(_, rows)| **rows < MINIMUM_ROWS) {
        let (task, label) = (task.name.clone(), (*kind).to_owned());
        return Err(TrainingError::TooFewRows { task, label, rows: *rows, minimum: MINIMUM_ROWS });
    }
    let of_type = |kind: &&str| [Tag::Begin(kind).to_string(), Tag::Inside(kind).to_string()];
    Ok(LabelSet::new(std::iter::once(OUTSIDE.to_owned()).chain(types.keys().flat_map(of_type)).collect()))
}

/// The indices of a checked row's tags.
///
/// # Errors
///
/// [`TrainingError::UnknownLabel`] for a tag that is not among the labels.
pub(super) fn target(row: &Row, labels: &LabelSet) -> Result<Target, TrainingError> {
    let index = |tag: &str| {
        labels.position(tag).ok_or_else(|| TrainingError::UnknownLabel {
            at: row.at.clone(),
            label: tag.to_owned(),
            known: labels.names().to_vec(),
        })
    };
    row.label.split(' ').map(index).collect::<Result<_, _>>().map(Target::Tags)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Location;

    fn row(text: &str, label: &str) -> Row {
        let at = Location { path: Path::new("rows.conll").into(), line: 7 };
        Row { text: text.to_owned(), label: label.to_owned(), agreement: 1.0, extra: Vec::new(), at }
    }

    fn task() -> Task {
        serde_json::from_str(r#"{"name": "ner", "kind": "tokens", "data": [{"path": "rows.conll"}]}"#).unwrap()
    }

    #[test]
    fn tags_are_repaired_and_numbered() {
        let rows: Vec<Row> = ["I-PER I-PER O", "O B-LOC I-ORG"]
            .into_iter()
            .cycle()
            .take(20)
            .map(|tags| checked(row("a b c", tags)).unwrap())
            .collect();
        assert_eq!(rows[0].label, "B-PER I-PER O");
        let labels = labels(&task(), &rows).unwrap();
        assert_eq!(labels.names().join(" "), "O B-LOC I-LOC B-ORG I-ORG B-PER I-PER");
        assert_eq!(target(&rows[0], &labels).unwrap(), Target::Tags(vec![5, 6, 0]));
        assert_eq!(target(&rows[1], &labels).unwrap(), Target::Tags(vec![0, 1, 3]));
        let message = target(&row("a", "B-DATE"), &labels).unwrap_err().to_string();
        assert!(message.contains("rows.conll:7: unknown label \"B-DATE\""), "{message}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let refusal = |text: &str, tags: &str| checked(row(text, tags)).unwrap_err().to_string();
        assert!(refusal("a b", "O X-PER").contains("rows.conll:7: label: \"X-PER\" is no tag"));
        assert!(refusal("a b", "O").contains("has 1 tags for 2 words"));
        let few = |rows: &[Row]| labels(&task(), rows).unwrap_err().to_string();
        assert!(few(&vec![row("a b", "O O"); 9]).contains("the only label is \"O\""));
        assert!(few(&vec![row("a b", "O B-PER"); 6]).contains("\"PER\""));
    }
}
