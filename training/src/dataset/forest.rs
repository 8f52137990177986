//! Which texts hang together, from pairs of them.

use std::collections::BTreeMap;

/// Disjoint sets of texts (Galler and Fischer 1964), with path halving.
pub(super) struct Forest(Vec<usize>);

impl Forest {
    /// Every text is a set of its own.
    pub(super) fn of(texts: usize) -> Self {
        Self((0..texts).collect())
    }

    fn root(&mut self, mut text: usize) -> usize {
        while self.0[text] != text {
            self.0[text] = self.0[self.0[text]];
            text = self.0[text];
        }
        text
    }

    /// Makes the sets of these two one.
    pub(super) fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.0[right] = left;
    }

    /// The sets of more than one text, each in ascending order.
    pub(super) fn sets(mut self) -> Vec<Vec<usize>> {
        let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for text in 0..self.0.len() {
            sets.entry(self.root(text)).or_default().push(text);
        }
        sets.into_values().filter(|set| set.len() > 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_pairs_hold_together() {
        let mut forest = Forest::of(8);
        for (left, right) in [(0, 1), (2, 3), (1, 3), (3, 0), (6, 7)] {
            forest.join(left, right);
        }
        let mut sets = forest.sets();
        sets.sort();
        assert_eq!(sets, [vec![0, 1, 2, 3], vec![6, 7]]);
    }
}
