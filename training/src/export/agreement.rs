//! The proof that a compressed model still says what was trained: its labels are the f32 model's, and the back ends agree.

use std::path::Path;

use inference::{Head, ModelDirectory, TaskKind};
use ndarray::{Array2, ArrayView1, s};
use serde::{Deserialize, Serialize};

use crate::export::parity::{logits_of_each_backend, max_abs_delta, sizes};
use crate::export::{ExportError, Precision};

/// How a compressed model's answers compare with those of the f32 model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgreementReport {
    /// Texts that were compared.
    pub texts: usize,
    /// The share of equal labels that is asked for.
    pub least: f64,
    /// One for each back end that could run and head.
    pub heads: Vec<HeadAgreement>,
    /// The largest difference of a logit from the f32 model's; that of a number is a share of the numbers' size.
    pub max_abs_delta: f32,
    /// How far the back ends are from each other; none if only one could run.
    pub between_backends: Option<Difference>,
}

/// How far the logits of two runs are apart, numbers as shares of their size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The mean over texts and labels.
    pub mean: f32,
    /// The largest.
    pub max: f32,
}

/// How often one head gives the same label in one back end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadAgreement {
    /// The back end.
    pub backend: String,
    /// The head.
    pub head: String,
    /// The share of texts whose likeliest label is that of the f32 model, or all of whose labels are, or whose number is nearer
    /// to that of the f32 model than a tenth of those numbers' deviation.
    pub share: f64,
}

/// Compares the model in `compressed` with the f32 model in `full`, in tract and, where its library is present, in ONNX Runtime.
///
/// # Errors
///
/// [`ExportError::Disagreement`] below [`Precision::least_agreement`] and [`ExportError::BackendsDiffer`] beyond
/// [`Precision::backend_limit`].
pub fn check_agreement(
    full: &Path,
    compressed: &Path,
    precision: Precision,
    texts: &[&str],
) -> Result<AgreementReport, ExportError> {
    if texts.is_empty() {
        return Err(ExportError::FewTexts { found: 0, needed: 1 });
    }
    let (full, compressed) = (ModelDirectory::open(full)?, ModelDirectory::open(compressed)?);
    let mut expected = logits_of_each_backend(&full, texts)?;
    let mut found = logits_of_each_backend(&compressed, texts)?;
    // By its own size no answer becomes another; differences of numbers become comparable with those of logits.
    if let Some(sizes) = expected.first().map(|(_, logits)| sizes(full.heads(), logits)) {
        expected.iter_mut().chain(&mut found).for_each(|(_, logits)| *logits /= &sizes);
    }
    let least = precision.least_agreement();
    let mut report =
        AgreementReport { texts: texts.len(), least, heads: Vec::new(), max_abs_delta: 0.0, between_backends: None };
    for ((backend, own), (_, expected)) in found.iter().zip(&expected) {
        report.max_abs_delta = report.max_abs_delta.max(max_abs_delta(own, expected));
        for (head, share) in shares(compressed.heads(), own, expected) {
            if share < least {
                let texts = texts.len();
                return Err(ExportError::Disagreement { precision, backend, head, share, least, texts });
            }
            report.heads.push(HeadAgreement { backend: (*backend).to_owned(), head, share });
        }
    }
    if let [(_, one), (_, other)] = &*found {
        let difference = Difference { mean: mean_abs_delta(one, other), max: max_abs_delta(one, other) };
        let limit = precision.backend_limit();
        if difference.mean > limit {
            return Err(ExportError::BackendsDiffer { precision, mean: difference.mean, limit });
        }
        report.between_backends = Some(difference);
    }
    Ok(report)
}

fn mean_abs_delta(one: &Array2<f32>, other: &Array2<f32>) -> f32 {
    let sum: f32 = one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum();
    sum / one.len().max(1) as f32
}

/// For each head, the share of rows that it answers alike.
fn shares(heads: &[Head], own: &Array2<f32>, expected: &Array2<f32>) -> Vec<(String, f64)> {
    let mut first = 0;
    let mut shares = Vec::with_capacity(heads.len());
    for head in heads {
        let columns = s![.., first..first + head.labels.len()];
        first += head.labels.len();
        let (own, expected) = (own.slice(columns), expected.slice(columns));
        let near = expected.std(0.0) / 10.0;
        let rows = own.outer_iter().zip(expected.outer_iter());
        let equal = rows.filter(|(own, expected)| is_equal(head.kind, own, expected, near)).count();
        shares.push((head.name.to_string(), equal as f64 / own.nrows().max(1) as f64));
    }
    shares
}

/// Whether two rows of a head's logits are one answer; `near` is how far apart its numbers may be.
fn is_equal(kind: TaskKind, own: &ArrayView1<'_, f32>, expected: &ArrayView1<'_, f32>, near: f32) -> bool {
    let mut pairs = own.iter().zip(expected);
    match kind {
        TaskKind::SingleLabel | TaskKind::Tokens => highest(own) == highest(expected),
        TaskKind::MultiLabel => pairs.all(|(own, expected)| (*own > 0.0) == (*expected > 0.0)),
        TaskKind::Regression => pairs.all(|(own, expected)| (own - expected).abs() <= near),
    }
}

/// The first column of the highest logit.
fn highest(logits: &ArrayView1<'_, f32>) -> usize {
    let columns = logits.iter().copied().enumerate();
    columns.fold((0, f32::NEG_INFINITY), |best, (column, logit)| if logit > best.1 { (column, logit) } else { best }).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_compared_apart() {
        let heads = [Head::new("mood", ["down", "up"]), Head::new("topic", ["a", "b", "c"])];
        let expected = ndarray::array![[0.0, 1.0, 5.0, 0.0, 0.0], [2.0, 1.0, 0.0, 0.0, 3.0]];
        let own = ndarray::array![[0.9, 1.0, 5.0, 6.0, 0.0], [2.0, 1.9, 0.0, 0.0, 0.1]];
        assert_eq!(shares(&heads, &own, &expected), [("mood".to_owned(), 1.0), ("topic".to_owned(), 0.5)]);
        let heads = [
            Head::new("tags", ["down", "up"]).of_kind(TaskKind::MultiLabel),
            Head::new("price", ["price"]).of_kind(TaskKind::Regression),
        ];
        // The numbers' deviation is 10: one is a tenth of it away, one more.
        let numbers = ndarray::array![[-1.0, 1.0, 10.0], [-1.0, 1.0, 30.0]];
        let found = ndarray::array![[-0.1, 9.0, 10.9], [-1.0, -0.1, 31.1]];
        assert_eq!(shares(&heads, &found, &numbers), [("tags".to_owned(), 0.5), ("price".to_owned(), 0.5)]);
        // 0.9 + 6 + 0.9 + 2.9 over ten logits.
        assert!((mean_abs_delta(&own, &expected) - 1.07).abs() < 1e-6);
    }
}
