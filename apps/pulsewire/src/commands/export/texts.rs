//! The texts that a compressed model is calibrated on, and others that it is compared with the whole one on.

use inference::pair;
use training::DataSource;
use training::export::{MINIMUM_TEXTS, Precision};

use crate::exit::UsageError;
use crate::labelled::different_texts;

/// The most texts that ranges are taken from; more change nothing.
const CALIBRATION_TEXTS: usize = 256;

/// The most texts that models are compared on.
const CHECKED_TEXTS: usize = 512;

/// What an export is made with and checked on.
pub(super) struct Texts {
    pub(super) calibration: Vec<String>,
    pub(super) checked: Vec<String>,
}

impl Texts {
    /// From the sources, else the headlines of the sample feed. No text that ranges are taken from is compared on.
    pub(super) fn read(sources: &[DataSource], precision: Precision) -> anyhow::Result<Self> {
        let texts = if sources.is_empty() {
            crate::samples::headlines().iter().map(|text| text.to_string()).collect()
        } else {
            different_texts(sources)?
        };
        if precision != Precision::Int8 {
            return Ok(Self { calibration: Vec::new(), checked: evenly(texts, CHECKED_TEXTS) });
        }
        let found = texts.len();
        if found < 2 * MINIMUM_TEXTS {
            let needed = 2 * MINIMUM_TEXTS;
            return Err(UsageError(format!(
                "--calibration has {found} different texts; at least {needed} are needed, half of them to compare on, and some \
                 hundreds are better"
            ))
            .into());
        }
        let (calibration, checked): (Vec<_>, Vec<_>) =
            texts.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
        let texts = |side: Vec<(usize, String)>| side.into_iter().map(|(_, text)| text).collect();
        Ok(Self {
            calibration: evenly(texts(calibration), CALIBRATION_TEXTS),
            checked: evenly(texts(checked), CHECKED_TEXTS),
        })
    }

    /// Makes pairs of the texts to be compared on, each with the one that stands as far from the end as it from the start.
    pub(super) fn pair_up(&mut self) {
        let second: Vec<String> = self.checked.iter().rev().cloned().collect();
        self.checked.iter_mut().zip(second).for_each(|(first, second)| *first = pair::join(first, &second));
    }
}

/// At most so many of them, from the first to the last: files are often in the order of their labels.
fn evenly(texts: Vec<String>, most: usize) -> Vec<String> {
    let every = texts.len().div_ceil(most).max(1);
    texts.into_iter().step_by(every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled::LabelledArguments;

    fn read(content: &str, precision: Precision) -> anyhow::Result<Texts> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feed.csv");
        std::fs::write(&path, content).unwrap();
        let labelled = LabelledArguments { text: Some("headline".to_owned()), ..LabelledArguments::default() };
        Texts::read(&labelled.of(&[path]), precision)
    }

    fn feed(rows: usize) -> String {
        let rows: String = (0..rows).map(|row| format!("7,text {row}\n7,text {row}\n")).collect();
        format!("id,headline\n{rows}")
    }

    #[test]
    fn no_text_is_calibrated_and_compared_on() {
        let texts = read(&feed(1000), Precision::Int8).unwrap();
        assert_eq!((texts.calibration.len(), texts.checked.len()), (250, 500));
        assert!(texts.checked.iter().all(|text| !texts.calibration.contains(text)));
        assert_eq!(texts.calibration[1], "text 4");
        let texts = read(&feed(40), Precision::Int8Dynamic).unwrap();
        assert_eq!((texts.calibration.len(), texts.checked.len()), (0, 40));
    }

    #[test]
    fn few_texts_are_refused() {
        let error = read(&feed(31), Precision::Int8).err().unwrap().to_string();
        assert!(error.contains("31 different texts") && error.contains("at least 32"), "{error}");
        let error = read("id,title\n1,a\n", Precision::Int8).err().unwrap().to_string();
        assert!(error.contains("no column \"headline\""), "{error}");
    }
}
