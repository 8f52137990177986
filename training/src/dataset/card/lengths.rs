//! How long texts are.

use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;
use serde::{Deserialize, Serialize};

use crate::dataset::Row;
use crate::error::TrainingError;

/// Rows counted between two movements of the progress bar.
const BLOCK: usize = 512;

/// Four quantiles of lengths, by nearest rank: each is a length that occurs (Hyndman and Fan, "Sample Quantiles in
/// Statistical Packages", 1996, definition 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// The shortest.
    pub min: usize,
    /// At least half are no longer; the lower one of two middle ones.
    pub median: usize,
    /// At least 95 % are no longer.
    pub p95: usize,
    /// The longest.
    pub max: usize,
}

impl Lengths {
    /// The quantiles of these lengths; `None` if there are none.
    pub fn of(mut lengths: Vec<usize>) -> Option<Self> {
        lengths.sort_unstable();
        let at_percent = |percent: usize| {
            let rank = (lengths.len() * percent).div_ceil(100).max(1);
            lengths.get(rank - 1).copied()
        };
        Some(Self { min: at_percent(0)?, median: at_percent(50)?, p95: at_percent(95)?, max: at_percent(100)? })
    }
}

/// Lengths in tokens, special tokens included, as training counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLengths {
    /// The quantiles.
    #[serde(flatten)]
    pub lengths: Lengths,
    /// The most tokens that training will read of a text.
    pub max_tokens: usize,
    /// Rows with more, whose end training will not see.
    pub cut_rows: usize,
}

impl TokenLengths {
    /// Tokenises every row; `None` if there is no row.
    pub(super) fn count(
        rows: &[Row],
        tokenizer: &TextTokenizer,
        max_tokens: usize,
    ) -> Result<Option<Self>, TrainingError> {
        let progress = Progress::start("counting tokens", Some(rows.len() as u64), Unit::Items("rows"));
        let mut counts = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK) {
            for row in block {
                counts.push(tokenizer.encode(&row.text)?.len());
            }
            progress.advance(block.len() as u64);
        }
        let cut_rows = counts.iter().filter(|count| **count > max_tokens).count();
        Ok(Lengths::of(counts).map(|lengths| Self { lengths, max_tokens, cut_rows }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lengths: impl IntoIterator<Item = usize>, expected: [usize; 4]) {
        let Lengths { min, median, p95, max } = Lengths::of(lengths.into_iter().collect()).unwrap();
        assert_eq!([min, median, p95, max], expected);
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        check([7], [7, 7, 7, 7]);
        check([9, 3], [3, 3, 9, 9]);
        check([5, 1, 3], [1, 3, 5, 5]);
        check((1..=20).rev(), [1, 10, 19, 20]);
        check(1..=100, [1, 50, 95, 100]);
        check(1..=101, [1, 51, 96, 101]);
        check(std::iter::repeat_n(4, 96).chain(1000..1004), [4, 4, 4, 1003]);
        assert_eq!(Lengths::of(Vec::new()), None);
    }
}
