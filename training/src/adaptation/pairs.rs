//! What an encoder may learn of two texts beside their hidden words: whether the second one follows the first.

use inference::pair;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// What is asked of a pair of texts; half of the pairs are right, half are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairTask {
    /// Whether the second text follows the first or comes from elsewhere (Devlin and others, "BERT", 2019).
    Next,
    /// Whether the two stand in their order: harder, since their subject does not tell (Lan and others, "ALBERT", 2020).
    Order,
}

impl PairTask {
    /// The pair at this place among at least two, as it is or made wrong, and what is to be answered: 0 if it is right, 1 if it
    /// is wrong, as transformers has it.
    pub(super) fn draw(self, pairs: &[String], at: usize, random: &mut Random) -> (String, usize) {
        let right = || (pairs[at].clone(), 0);
        if random.below(2) == 0 {
            return right();
        }
        let other = &pairs[(at + 1 + random.below(pairs.len() - 1)) % pairs.len()];
        match (pair::split(&pairs[at]), pair::split(other)) {
            (Some((first, _)), Some((_, foreign))) if self == Self::Next => (pair::join(first, foreign), 1),
            (Some((first, second)), _) => (pair::join(second, first), 1),
            (None, _) => right(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_pairs_are_wrong_in_their_way() {
        let pairs: Vec<String> = ["ab", "cd", "ef"].map(|two| pair::join(&two[..1], &two[1..])).to_vec();
        let mut random = Random::new(1, "test");
        let mut draw = |task: PairTask| -> Vec<(String, usize)> {
            let drawn = (0..1000).map(|_| task.draw(&pairs, 1, &mut random));
            drawn.map(|(text, answer)| (text.replace(pair::BETWEEN, ""), answer)).collect()
        };
        let count = |drawn: &[(String, usize)], text: &str, answer| {
            drawn.iter().filter(|own| (&*own.0, own.1) == (text, answer)).count()
        };
        let drawn = draw(PairTask::Order);
        let (right, wrong) = (count(&drawn, "cd", 0), count(&drawn, "dc", 1));
        assert!(right + wrong == 1000 && (440..560).contains(&right), "{right} of {drawn:?}");
        let drawn = draw(PairTask::Next);
        let (right, wrong) = (count(&drawn, "cd", 0), [count(&drawn, "cb", 1), count(&drawn, "cf", 1)]);
        assert!(
            right + wrong[0] + wrong[1] == 1000 && wrong.iter().all(|wrong| (190..310).contains(wrong)),
            "{wrong:?}"
        );
    }
}
