//! Multiple-negatives ranking: a query is to find its answer among the answers of its batch.

use candle_core::{D, Device, Result, Tensor, bail};

/// What stands for the score of a candidate that is left out: far below any, and far from the end of f32.
const ABSENT: f32 = -1e9;

/// The mean of `-log eˢ⁺ / Σ eˢ` from queries to answers and from answers to queries: `s` is the cosine of two vectors over a
/// temperature, `+` the pair itself and the sum goes over the batch (Henderson and others, "Efficient Natural Language Response
/// Suggestion", 2017; Karpukhin and others, "Dense Passage Retrieval", 2020; both directions as Radford and others, "Learning
/// Transferable Visual Models", 2021). Other right answers of a query are left out of its sum, for they are not wrong.
///
/// [`InfoNce`](super::InfoNce) is the same thing for rows of classes, all of which are candidates of each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultipleNegatives {
    /// What cosines are divided by: the lower, the more the nearest negatives count.
    pub temperature: f64,
}

impl MultipleNegatives {
    /// The mean over pairs: row by row, `queries` and `answers`, both `[pairs, hidden]`, belong together. `right` says of a
    /// query's row and an answer's row whether the answer is right; that of a pair itself is not asked.
    ///
    /// # Errors
    ///
    /// Fewer than two pairs, or not as many answers as queries.
    pub fn mean(&self, queries: &Tensor, answers: &Tensor, right: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
        let (pairs, others) = (queries.dim(0)?, answers.dim(0)?);
        if pairs < 2 || pairs != others {
            bail!("multiple negatives: {pairs} queries for {others} answers, where at least two pairs are needed");
        }
        let mask = (0..pairs * pairs).map(|place| (place / pairs, place % pairs));
        let mask = mask.map(|(row, column)| if row != column && right(row, column) { ABSENT } else { 0.0 });
        let mask = Tensor::from_vec(mask.collect::<Vec<f32>>(), (pairs, pairs), &Device::Cpu)?;
        let scores = (unit(queries)?.matmul(&unit(answers)?.t()?)? / self.temperature)?;
        let own = scores.mul(&Tensor::eye(pairs, scores.dtype(), &Device::Cpu)?)?.sum_all()?;
        let scores = scores.add(&mask)?;
        let both = (log_sums(&scores)? + log_sums(&scores.t()?.contiguous()?)?)?;
        ((both / 2.0)? - own)? / pairs as f64
    }
}

/// The rows of `[rows, hidden]` at length one.
pub(crate) fn unit(vectors: &Tensor) -> Result<Tensor> {
    vectors.broadcast_div(&vectors.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

/// The logarithms of rows' summed powers, added up.
fn log_sums(scores: &Tensor) -> Result<Tensor> {
    let highest = scores.max_keepdim(D::Minus1)?.detach();
    (scores.broadcast_sub(&highest)?.exp()?.sum_keepdim(D::Minus1)?.log()? + highest)?.sum_all()
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    type Vectors = [[f32; 2]; 3];

    const QUERIES: Vectors = [[0.9, -0.4], [0.3, 0.8], [-0.6, 0.5]];
    const ANSWERS: Vectors = [[1.1, 0.2], [0.4, 1.3], [0.2, 0.7]];

    fn of(temperature: f64, queries: &[[f32; 2]], answers: &[[f32; 2]], right: &[(usize, usize)]) -> Result<f32> {
        let tensor = |rows: &[[f32; 2]]| Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu);
        let loss = MultipleNegatives { temperature };
        loss.mean(&tensor(queries)?, &tensor(answers)?, |row, column| right.contains(&(row, column)))?.to_scalar()
    }

    #[test]
    fn pairs_cost_what_is_counted_by_hand() {
        // At right angles, whatever the lengths: the right answer has cosine 1, the wrong one 0, in both directions.
        let vectors = [[2.0, 0.0], [0.0, 0.5]];
        for temperature in [1.0f64, 0.25] {
            let expected = (1.0 + (-1.0 / temperature).exp()).ln() as f32;
            assert!((of(temperature, &vectors, &vectors, &[]).unwrap() - expected).abs() < 1e-6);
        }
        // All alike: a guess among three.
        assert!((of(0.05, &[[1.0, 1.0]; 3], &[[1.0, 1.0]; 3], &[]).unwrap() - 3f32.ln()).abs() < 1e-5);
    }

    #[test]
    fn other_right_answers_are_no_negatives() {
        // Alike, so that each sum counts candidates: rows have 2, 3 and 3 of them, columns 3, 2 and 3.
        let loss = of(1.0, &[[1.0, 0.0]; 3], &[[1.0, 0.0]; 3], &[(0, 1), (2, 2)]).unwrap();
        let expected = (2.0 * 2f32.ln() + 4.0 * 3f32.ln()) / 6.0;
        assert!((loss - expected).abs() < 1e-6, "{loss}, not {expected}");
        // Where all are right, there is nothing to learn.
        let all: Vec<_> = (0..9).map(|place| (place / 3, place % 3)).collect();
        assert!(of(1.0, &QUERIES, &ANSWERS, &all).unwrap().abs() < 1e-6);
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        for right in [&[][..], &[(0, 1)]] {
            let variables = [QUERIES, ANSWERS].map(|centre| Var::new(&centre, &Device::Cpu).unwrap());
            let is_right = |row, column| right.contains(&(row, column));
            let loss = MultipleNegatives { temperature: 0.5 }.mean(&variables[0], &variables[1], is_right).unwrap();
            let slopes = loss.backward().unwrap();
            for (side, row, column) in (0..12).map(|place| (place / 6, place % 6 / 2, place % 2)) {
                let at = |distance: f32| {
                    let mut moved = [QUERIES, ANSWERS];
                    moved[side][row][column] += distance;
                    of(0.5, &moved[0], &moved[1], right).unwrap()
                };
                let expected = (at(0.01) - at(-0.01)) / 0.02;
                let got = slopes.get(&variables[side]).unwrap().to_vec2::<f32>().unwrap()[row][column];
                assert!((got - expected).abs() < 1e-3, "{side} [{row}][{column}]: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn a_pair_alone_is_refused() {
        let message = of(1.0, &[[1.0, 0.0]], &[[1.0, 0.0]], &[]).unwrap_err().to_string();
        assert!(message.contains("1 queries for 1 answers"), "{message}");
        assert!(of(1.0, &QUERIES, &ANSWERS[..2], &[]).is_err());
    }
}
