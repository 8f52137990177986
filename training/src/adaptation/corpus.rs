//! What an encoder is adapted to: the distinct texts of a corpus, or pairs of texts that follow each other in it.

use std::collections::HashSet;

use inference::cleaning::plain;
use inference::pair;

use super::{Adaptation, MINIMUM_TEXTS};
use crate::dataset::key;
use crate::error::TrainingError;
use crate::source::DataSource;

/// What an adaptation learns by: texts, or pairs ([`pair`]) of which no two share a text.
pub(super) fn read(adaptation: &Adaptation) -> Result<Vec<String>, TrainingError> {
    let Adaptation { data: corpus, settings, .. } = adaptation;
    if settings.pairs.is_none() {
        return distinct_texts(corpus);
    }
    let runs = runs(corpus, settings.document.as_slice())?;
    let pairs = runs.iter().flat_map(|run| run.chunks_exact(2)).map(|two| pair::join(&two[0], &two[1]));
    enough(pairs.collect(), corpus)
}

/// The corpus' texts in their order, tidied, each once.
pub(crate) fn distinct_texts(corpus: &[DataSource]) -> Result<Vec<String>, TrainingError> {
    enough(runs(corpus, &[])?.into_iter().flatten().collect(), corpus)
}

fn enough(texts: Vec<String>, corpus: &[DataSource]) -> Result<Vec<String>, TrainingError> {
    if texts.len() < MINIMUM_TEXTS {
        let files: Vec<_> = corpus.iter().map(DataSource::name).collect();
        return Err(TrainingError::TooFewTexts { texts: texts.len(), minimum: MINIMUM_TEXTS, files: files.join(", ") });
    }
    Ok(texts)
}

/// Texts that follow each other in one document, by the value of this column; a text that stood before ends what it stands in.
fn runs(corpus: &[DataSource], document: &[String]) -> Result<Vec<Vec<String>>, TrainingError> {
    let (mut runs, mut met): (Vec<Vec<String>>, _) = (Vec::new(), HashSet::new());
    for source in corpus {
        let mut last = None;
        for row in source.without_label().read_with(document)? {
            let text = plain(&row.text);
            if text.is_empty() {
                continue;
            }
            if !met.insert(key(&text)) {
                last = None;
                continue;
            }
            match runs.last_mut().filter(|_| last.as_ref() == Some(&row.extra)) {
                Some(run) => run.push(text),
                None => runs.push(vec![text]),
            }
            last = Some(row.extra);
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::{AdaptationSettings, PairTask};

    #[test]
    fn pairs_follow_each_other_within_a_document() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("texts.csv");
        let rows = ["a,1", "b,1", "c,1", " ,1", "d,2", "A,2", "e,2", "f,2"];
        std::fs::write(&path, format!("text,page\n{}\n", rows.join("\n"))).unwrap();
        let mut adaptation = Adaptation {
            base: None,
            data: vec![DataSource::new(path)],
            seed: 1,
            settings: AdaptationSettings {
                pairs: Some(PairTask::Next),
                document: Some("page".to_owned()),
                ..AdaptationSettings::default()
            },
        };
        let found = |adaptation: &Adaptation| -> Vec<String> {
            runs(&adaptation.data, adaptation.settings.document.as_slice())
                .unwrap()
                .iter()
                .map(|run| run.join(""))
                .collect()
        };
        assert_eq!(found(&adaptation), ["abc", "d", "ef"]);
        let message = read(&adaptation).unwrap_err().to_string();
        assert!(message.contains("2 distinct texts"), "ab and ef: {message}");
        adaptation.settings.document = None;
        assert_eq!(found(&adaptation), ["abcd", "ef"]);
        adaptation.settings.document = Some("section".to_owned());
        assert!(read(&adaptation).unwrap_err().to_string().contains("section"));
    }
}
