//! Any model measured on any labelled rows.

use foundation::progress::{Progress, Unit};
use inference::{Head, Model};

use crate::dataset::{LabelSet, Row};
use crate::error::TrainingError;
use crate::metrics::EvaluationReport;

/// Rows scored between two movements of the progress bar.
const BLOCK: usize = 512;

/// Scores the rows and compares. Without a name, the head is the first one that knows every label of the rows; an unknown
/// label is an error that names its file and line.
pub fn evaluate(model: &mut dyn Model, rows: &[Row], head: Option<&str>) -> Result<EvaluationReport, TrainingError> {
    let (index, labels) = choose_head(model.heads(), rows, head)?;
    let name = model.heads()[index].name.clone();
    let truths = rows.iter().map(|row| labels.index_of(row)).collect::<Result<Vec<_>, _>>()?;
    let progress = Progress::start(format!("evaluating {name}"), Some(rows.len() as u64), Unit::Items("rows"));
    let mut predictions = Vec::with_capacity(rows.len());
    for block in rows.chunks(BLOCK) {
        let texts: Vec<&str> = block.iter().map(|row| row.text.as_str()).collect();
        let scores = model.score(&texts)?;
        predictions.extend(scores.iter().map(|scores| scores.best(index).map_or(0, |(label, _)| label)));
        progress.advance(block.len() as u64);
    }
    progress.finish();
    Ok(EvaluationReport::from_pairs(&name, labels.names(), truths.into_iter().zip(predictions)))
}

fn choose_head(heads: &[Head], rows: &[Row], wanted: Option<&str>) -> Result<(usize, LabelSet), TrainingError> {
    let labels = |head: &Head| LabelSet::new(head.labels.iter().map(|label| label.to_string()).collect());
    let knows_all = |head: &Head| {
        let labels = labels(head);
        rows.iter().all(|row| labels.index_of(row).is_ok())
    };
    let index = match wanted {
        Some(wanted) => heads.iter().position(|head| &*head.name == wanted),
        None => heads.iter().position(knows_all).or(if heads.is_empty() { None } else { Some(0) }),
    };
    let index = index.ok_or_else(|| TrainingError::MissingHead {
        wanted: wanted.unwrap_or_default().to_owned(),
        found: heads.iter().map(|head| head.name.to_string()).collect(),
    })?;
    Ok((index, labels(&heads[index])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Location;
    use inference::{InferenceError, Scores};

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
        Row { text: text.into(), label: label.into(), at }
    }

    #[test]
    fn the_head_is_found_by_the_labels() {
        let rows = [row("up", "positive", 2), row("down", "negative", 3), row("flat", "positive", 4)];
        let report = evaluate(&mut model(), &rows, None).unwrap();
        assert_eq!((report.head.as_str(), report.rows), ("sentiment", 3));
        assert!((report.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(report.confusion, [[1, 0], [1, 1]]);
    }

    #[test]
    fn an_unknown_label_is_named_with_file_and_line() {
        let rows = [row("up", "positive", 2), row("down", "awful", 3)];
        let message = evaluate(&mut model(), &rows, Some("sentiment")).unwrap_err().to_string();
        assert!(message.contains("rows.csv:3: unknown label \"awful\""), "{message}");
        assert!(evaluate(&mut model(), &rows, None).is_err());
    }

    #[test]
    fn an_unknown_head_lists_the_heads() {
        let message = evaluate(&mut model(), &[row("up", "a", 2)], Some("mood")).unwrap_err().to_string();
        assert!(message.contains("\"topic\", \"sentiment\""), "{message}");
    }
}
