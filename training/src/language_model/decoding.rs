//! How the next token is drawn from a model's scores.

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// How a text is written, token by token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decoding {
    /// The most tokens after the prompt.
    pub max_tokens: usize,
    /// What scores are divided by: below 1 likely tokens become likelier. 0 always takes the likeliest (greedy).
    pub temperature: f64,
    /// Draws among so many of the likeliest (Fan and others, "Hierarchical Neural Story Generation", 2018); all where it is not set.
    pub top_k: Option<usize>,
    /// Draws among the likeliest whose probabilities reach this together (nucleus sampling: Holtzman and others, "The Curious Case of
    /// Neural Text Degeneration", 2020). 1 is all of them.
    pub top_p: f64,
    /// Decides what is drawn.
    pub seed: u64,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { max_tokens: 40, temperature: 1.0, top_k: None, top_p: 0.95, seed: 17 }
    }
}

impl Decoding {
    pub(super) fn validate(&self) -> Result<(), ConfigurationError> {
        let checks = [
            ("max_tokens", self.max_tokens >= 1, "must be at least 1"),
            ("temperature", (0.0..=100.0).contains(&self.temperature), "must be 0 to 100; 0 is greedy"),
            ("top_k", self.top_k != Some(0), "must be at least 1"),
            ("top_p", self.top_p > 0.0 && self.top_p <= 1.0, "must be above 0 and at most 1"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, message)) => Err(ConfigurationError::invalid(key, message)),
            None => Ok(()),
        }
    }

    /// Draws a token.
    pub(super) fn choose(&self, scores: &[f32], random: &mut Random) -> u32 {
        let candidates = self.candidates(scores);
        let mut left = random.unit();
        for (token, probability) in &candidates {
            left -= probability;
            if left < 0.0 {
                return *token;
            }
        }
        // Rounding may leave a little of the unit.
        candidates.last().map_or(0, |(token, _)| *token)
    }

    /// The tokens that may be drawn with their probabilities, which sum to 1, the likeliest first.
    fn candidates(&self, scores: &[f32]) -> Vec<(u32, f64)> {
        let mut tokens: Vec<(u32, f64)> = (0..).zip(scores.iter().copied().map(f64::from)).collect();
        // Stable: of equals, the first of the vocabulary comes first.
        tokens.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        if self.temperature == 0.0 {
            tokens.truncate(1);
        }
        tokens.truncate(self.top_k.unwrap_or(usize::MAX));
        let highest = tokens.first().map_or(0.0, |(_, score)| *score);
        let temperature = if self.temperature == 0.0 { 1.0 } else { self.temperature };
        for (_, score) in &mut tokens {
            *score = ((*score - highest) / temperature).exp();
        }
        normalise(&mut tokens);
        let mut mass = 0.0;
        let nucleus = tokens.iter().position(|(_, probability)| {
            mass += probability;
            mass >= self.top_p
        });
        tokens.truncate(nucleus.map_or(tokens.len(), |last| last + 1));
        normalise(&mut tokens);
        tokens
    }
}

fn normalise(tokens: &mut [(u32, f64)]) {
    let total: f64 = tokens.iter().map(|(_, probability)| probability).sum();
    tokens.iter_mut().for_each(|(_, probability)| *probability /= total);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of the probabilities 1/15, 8/15, 2/15, 4/15.
    fn scores() -> Vec<f32> {
        [1f32, 8.0, 2.0, 4.0].iter().map(|weight| weight.ln()).collect()
    }

    fn all() -> Decoding {
        Decoding { top_p: 1.0, ..Decoding::default() }
    }

    fn check(decoding: &Decoding, expected: &[(u32, f64)]) {
        let got = decoding.candidates(&scores());
        let close =
            |(got, expected): (&(u32, f64), &(u32, f64))| got.0 == expected.0 && (got.1 - expected.1).abs() < 1e-6;
        assert!(got.len() == expected.len() && got.iter().zip(expected).all(close), "{got:?} is not {expected:?}");
    }

    #[test]
    fn probabilities_are_the_softmax_under_the_temperature() {
        let fifteenth = 1.0 / 15.0;
        check(&all(), &[(1, 8.0 * fifteenth), (3, 4.0 * fifteenth), (2, 2.0 * fifteenth), (0, fifteenth)]);
        // Half the temperature squares the weights.
        let cold = Decoding { temperature: 0.5, ..all() };
        check(&cold, &[(1, 64.0 / 85.0), (3, 16.0 / 85.0), (2, 4.0 / 85.0), (0, 1.0 / 85.0)]);
    }

    #[test]
    fn the_nucleus_is_the_fewest_that_reach_the_mass() {
        let nucleus = |top_p: f64| Decoding { top_p, ..all() };
        check(&nucleus(0.5), &[(1, 1.0)]);
        check(&nucleus(0.54), &[(1, 2.0 / 3.0), (3, 1.0 / 3.0)]);
        check(&nucleus(0.79), &[(1, 2.0 / 3.0), (3, 1.0 / 3.0)]);
        check(&nucleus(0.81), &[(1, 4.0 / 7.0), (3, 2.0 / 7.0), (2, 1.0 / 7.0)]);
        // Of the two that top-k leaves, the first alone has two thirds.
        check(&Decoding { top_k: Some(2), top_p: 0.6, ..all() }, &[(1, 1.0)]);
    }

    #[test]
    fn one_candidate_is_greedy_whatever_is_drawn() {
        let greedy = Decoding { temperature: 0.0, ..all() };
        let first = Decoding { top_k: Some(1), temperature: 5.0, ..all() };
        let mut random = Random::new(1, "test");
        for row in 0..50 {
            let scores: Vec<f32> = (0..30).map(|_| random.normal() as f32).collect();
            let largest = (0..30u32).max_by(|a, b| scores[*a as usize].total_cmp(&scores[*b as usize])).unwrap();
            assert_eq!(
                (largest, largest),
                (greedy.choose(&scores, &mut random), first.choose(&scores, &mut random)),
                "{row}"
            );
        }
        assert_eq!(greedy.choose(&[0.0, 2.0, 2.0], &mut random), 1);
    }

    #[test]
    fn draws_come_as_often_as_they_are_likely() {
        let mut random = Random::new(2, "test");
        let decoding = Decoding { top_k: Some(3), ..all() };
        let mut counts = [0i32; 4];
        (0..14_000).for_each(|_| counts[decoding.choose(&scores(), &mut random) as usize] += 1);
        // 0 is cut off; 4/7, 2/7 and 1/7 of 14000 for the others.
        assert_eq!(counts[0], 0);
        for (token, expected) in [(1, 8000), (3, 4000), (2, 2000)] {
            assert!((counts[token] - expected).abs() < 200, "{counts:?}");
        }
    }

    #[test]
    fn senseless_settings_are_refused() {
        let refused =
            |decoding: Decoding, key: &str| assert!(decoding.validate().unwrap_err().to_string().contains(key));
        refused(Decoding { temperature: -1.0, ..all() }, "temperature");
        refused(Decoding { temperature: f64::NAN, ..all() }, "temperature");
        refused(Decoding { top_k: Some(0), ..all() }, "top_k");
        refused(Decoding { top_p: 0.0, ..all() }, "top_p");
        refused(Decoding { max_tokens: 0, ..all() }, "max_tokens");
        all().validate().unwrap();
    }
}
