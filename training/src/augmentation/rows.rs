//! Further rows of rows that there are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;
use inference::cleaning::plain;

use super::{Augmentation, AugmentationKind};
use crate::dataset::{Cleaning, CleaningRules, LabelNames, Row, key, read_rows};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::TaskKind;
use crate::source::{DataSource, Format};

/// Texts made of some of `texts` by one method, each with the place of the text that it was made of; no text of `met`, and none
/// twice.
pub(crate) fn further(
    augmentation: &Augmentation,
    base: &Path,
    texts: &[&str],
    met: &mut HashSet<String>,
    random: &mut Random,
) -> Result<Vec<(usize, String)>, TrainingError> {
    let places: Vec<usize> = (0..texts.len()).filter(|_| random.unit() < augmentation.share).collect();
    let chosen: Vec<&str> = places.iter().map(|place| texts[*place]).collect();
    let made = augmentation.build(base)?.augment(&chosen, random)?;
    let mut further: Vec<(usize, String)> = places.into_iter().zip(made.iter().map(|text| plain(text))).collect();
    further.retain(|(_, text)| !text.is_empty() && met.insert(key(text)));
    Ok(further)
}

/// Files whose rows are to be changed, and how.
#[derive(Debug, Clone, Copy)]
pub struct AugmentRequest<'a> {
    /// The labelled files.
    pub data: &'a [DataSource],
    /// Speaking names of the labels.
    pub names: Option<&'a LabelNames>,
    /// Further columns that come with the rows.
    pub extra: &'a [String],
    /// The method.
    pub augmentation: &'a Augmentation,
    /// How often it goes over the rows.
    pub copies: usize,
    /// Decides what is changed.
    pub seed: u64,
    /// The directory of the base encoder, for methods that ask it; the one that `pulsewire setup` fetched where it is not set.
    pub base: Option<&'a Path>,
}

/// Answers with the files' rows, tidied, and behind them what was made of them; and how many rows were read with a text.
///
/// # Errors
///
/// Those of training on such a file, and of the method.
pub fn augment(request: &AugmentRequest<'_>) -> Result<(Vec<Row>, usize), TrainingError> {
    let AugmentRequest { augmentation, seed, .. } = *request;
    if let Some((key, message)) = augmentation.fault() {
        return Err(ConfigurationError::invalid(key, message).into());
    }
    if augmentation.kind == AugmentationKind::Case {
        let message = "must not be \"case\": training takes rows that differ in case alone for duplicates; name it in a run's file, \
                       where rows are changed as they are learned";
        return Err(ConfigurationError::invalid("kind", message).into());
    }
    let of_words = |source: &DataSource| matches!(source.resolved_format(), Ok(Format::Conll));
    if request.data.iter().any(of_words) && !augmentation.kind.suits(TaskKind::Tokens) {
        return Err(ConfigurationError::invalid("kind", super::MOVES_WORDS).into());
    }
    let asks_base = match augmentation.kind {
        AugmentationKind::Neighbours => true,
        AugmentationKind::Masked => augmentation.model.is_none(),
        _ => false,
    };
    let base = match request.base {
        Some(base) => base.to_owned(),
        None if asks_base => Part::BaseEncoder.locate()?,
        None => PathBuf::new(),
    };
    let mut rows = Vec::new();
    for source in request.data {
        rows.extend(read_rows(
            source,
            request.extra,
            request.names,
            CleaningRules::default(),
            &mut Cleaning::default(),
        )?);
    }
    let read = rows.len();
    let mut met: HashSet<String> = rows.iter().map(|row| key(&row.text)).collect();
    for copy in 0..request.copies {
        let texts: Vec<&str> = rows[..read].iter().map(|row| row.text.as_str()).collect();
        let mut random = Random::new(seed, &format!("further rows {copy}"));
        let made = further(augmentation, &base, &texts, &mut met, &mut random)?;
        let made: Vec<Row> = made.into_iter().map(|(place, text)| Row { text, ..rows[place].clone() }).collect();
        rows.extend(made);
    }
    Ok((rows, read))
}
