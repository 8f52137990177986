//! Runs a model over labelled rows.

use foundation::progress::{Progress, Unit};
use inference::{Head, Model, Scores, TaskKind};

use super::Predictions;
use crate::dataset::{LabelSet, Row};
use crate::error::TrainingError;

/// Rows scored between two movements of the progress bar.
pub(super) const BLOCK: usize = 512;

/// Scores the rows with one head, in their order.
///
/// Without a name, the head is the first one that chooses one label and knows every label of the rows.
///
/// # Errors
///
/// [`TrainingError::NoRows`] without rows, [`TrainingError::MissingHead`] if the model has no head of that name,
/// [`TrainingError::OtherKind`] if the head does not choose one label, [`TrainingError::UnknownLabel`] with file and line if the head does not know a label, and what the model itself says.
pub fn predict(model: &mut dyn Model, rows: &[Row], head: Option<&str>) -> Result<Predictions, TrainingError> {
    if rows.is_empty() {
        return Err(TrainingError::NoRows);
    }
    let (index, labels) = choose_head(model.heads(), rows, head)?;
    let name = model.heads()[index].name.clone();
    let truths = rows.iter().map(|row| labels.index_of(row)).collect::<Result<Vec<_>, _>>()?;
    let mut predictions = Predictions::new(&name, labels.names());
    score(model, rows, &name, |row, scores| {
        predictions.push(truths[row], scores.head(index).iter().copied().map(f64::from), &rows[row].at)
    })?;
    Ok(predictions)
}

/// Scores the rows in their order; `each` gets a row's index and its scores.
pub(super) fn score(
    model: &mut dyn Model,
    rows: &[Row],
    head: &str,
    mut each: impl FnMut(usize, &Scores) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let progress = Progress::start(format!("evaluating {head}"), Some(rows.len() as u64), Unit::Items("rows"));
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let scores = model.score(&texts)?;
        scores.iter().enumerate().try_for_each(|(place, scores)| each(block * BLOCK + place, scores))?;
        progress.advance(rows.len() as u64);
    }
    progress.finish();
    Ok(())
}

/// Scores with a second model the rows that `first` was made of: with its head of the same name, else with the first one that
/// knows every label. The rows' labels are those that the first model took them for.
///
/// # Errors
///
/// As [`predict`].
pub fn predict_against(model: &mut dyn Model, rows: &[Row], first: &Predictions) -> Result<Predictions, TrainingError> {
    let named = |(row, (truth, _)): (&Row, (usize, usize))| Row { label: first.labels()[truth].clone(), ..row.clone() };
    let rows: Vec<Row> = rows.iter().zip(first.pairs()).map(named).collect();
    let has_it = model.heads().iter().any(|head| *head.name == *first.head());
    predict(model, &rows, has_it.then(|| first.head()))
}

/// The index and labels of the head of this name or, without a name, of the first one that chooses one label and knows all of the
/// rows'.
pub(crate) fn choose_head(
    heads: &[Head],
    rows: &[Row],
    wanted: Option<&str>,
) -> Result<(usize, LabelSet), TrainingError> {
    let knows_all = |head: &Head| {
        let labels = label_set(head);
        head.kind == TaskKind::SingleLabel && rows.iter().all(|row| labels.index_of(row).is_ok())
    };
    let index = match wanted {
        Some(wanted) => named_head(heads, wanted)?,
        None => heads.iter().position(knows_all).unwrap_or(0),
    };
    match heads.get(index) {
        None => Err(missing(heads, wanted.unwrap_or_default())),
        Some(head) if head.kind != TaskKind::SingleLabel => Err(TrainingError::OtherKind {
            head: head.name.to_string(),
            kind: head.kind,
            message: "this takes a head that chooses one label; name one with --head".to_owned(),
        }),
        Some(head) => Ok((index, label_set(head))),
    }
}

/// The index of the head of this name.
pub(super) fn named_head(heads: &[Head], name: &str) -> Result<usize, TrainingError> {
    heads.iter().position(|head| &*head.name == name).ok_or_else(|| missing(heads, name))
}

/// A head's labels.
pub(super) fn label_set(head: &Head) -> LabelSet {
    LabelSet::new(head.labels.iter().map(|label| label.to_string()).collect())
}

fn missing(heads: &[Head], wanted: &str) -> TrainingError {
    let found = heads.iter().map(|head| head.name.to_string()).collect();
    TrainingError::MissingHead { wanted: wanted.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Location;
    use crate::metrics::EvaluationReport;
    use inference::InferenceError;

    /// Calls a text positive if it says "up".
    struct Reader(Vec<Head>);

    impl Model for Reader {
        fn heads(&self) -> &[Head] {
            &self.0
        }

        fn version(&self) -> &str {
            "1"
        }

        fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
            let sentiment = |text: &&str| if text.contains("up") { [0.1, 0.9] } else { [0.8, 0.2] };
            let scores = |text| Scores::new([Box::from([1.0f32, 0.0, 0.0]), Box::from(sentiment(text))]);
            Ok(texts.iter().map(scores).collect())
        }
    }

    fn model() -> Reader {
        Reader(vec![Head::new("topic", ["a", "b", "c"]), Head::new("sentiment", ["negative", "positive"])])
    }

    fn row(text: &str, label: &str, line: u64) -> Row {
        let at = Location { path: std::path::Path::new("rows.csv").into(), line };
        Row { text: text.into(), label: label.into(), agreement: 1.0, extra: Vec::new(), at }
    }

    #[test]
    fn the_head_is_found_by_the_labels() {
        let rows = [row("up", "positive", 2), row("down", "negative", 3), row("flat", "positive", 4)];
        let predictions = predict(&mut model(), &rows, None).unwrap();
        assert_eq!((predictions.head(), predictions.len()), ("sentiment", 3));
        let report = EvaluationReport::from_pairs("sentiment", predictions.labels(), predictions.pairs());
        assert!((report.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(report.confusion, [[1, 0], [1, 1]]);
    }

    #[test]
    fn an_unknown_label_is_named_with_file_and_line() {
        let rows = [row("up", "positive", 2), row("down", "awful", 3)];
        let message = predict(&mut model(), &rows, Some("sentiment")).unwrap_err().to_string();
        assert!(message.contains("rows.csv:3: unknown label \"awful\""), "{message}");
        assert!(predict(&mut model(), &rows, None).is_err());
    }

    #[test]
    fn an_unknown_head_lists_the_heads() {
        let message = predict(&mut model(), &[row("up", "a", 2)], Some("mood")).unwrap_err().to_string();
        assert!(message.contains("\"topic\", \"sentiment\""), "{message}");
        assert!(matches!(predict(&mut model(), &[], None), Err(TrainingError::NoRows)));
    }

    #[test]
    fn a_second_model_may_order_and_call_its_labels_otherwise() {
        // A number is an index into the first model's labels, whatever the second one's order.
        let rows = [row("up", "1", 2), row("down", "0", 3)];
        let first = predict(&mut model(), &rows, Some("sentiment")).unwrap();
        let mut other = Reader(vec![Head::new("a", ["x", "y", "z"]), Head::new("tone", ["positive", "negative"])]);
        let second = predict_against(&mut other, &rows, &first).unwrap();
        assert_eq!(second.head(), "tone");
        assert_eq!(first.pairs().collect::<Vec<_>>(), [(1, 1), (0, 0)]);
        assert_eq!(second.pairs().collect::<Vec<_>>(), [(0, 1), (1, 0)]);
    }

    #[test]
    fn a_second_model_is_asked_for_the_head_of_the_same_name() {
        let rows = [row("up", "a", 2)];
        let first = predict(&mut model(), &rows, Some("topic")).unwrap();
        assert_eq!(predict_against(&mut model(), &rows, &first).unwrap(), first);
    }
}
