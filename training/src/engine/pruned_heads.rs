//! The attention heads that a model has lost, as `config.json` tells them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// For each layer the heads that were pruned from it, by the numbers that they had in the whole layer; both count from 0. The
/// layer's matrices hold the other heads alone, in their order. Transformers 4 has the same key for the same matrices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrunedHeads(pub(crate) BTreeMap<usize, BTreeSet<usize>>);

impl PrunedHeads {
    /// The heads, of `heads` that a whole layer has, that a layer still has.
    pub fn left(&self, layer: usize, heads: usize) -> Vec<usize> {
        (0..heads).filter(|head| !self.0.get(&layer).is_some_and(|pruned| pruned.contains(head))).collect()
    }

    /// What is wrong with them in a model of so many layers with so many heads each.
    pub(crate) fn fault(&self, layers: usize, heads: usize) -> Option<String> {
        let is_wrong = |(layer, pruned): (&usize, &BTreeSet<usize>)| {
            *layer >= layers || pruned.len() >= heads || pruned.last().is_some_and(|last| *last >= heads)
        };
        let (layer, pruned) = self.0.iter().find(|entry| is_wrong(*entry))?;
        Some(format!(
            "pruned_heads has {pruned:?} for layer {layer}: there are {layers} layers of {heads} heads, counted from 0, and each \
             layer keeps at least one"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_what_cannot_be() {
        let of = |text: &str| serde_json::from_str::<PrunedHeads>(text).unwrap();
        let pruned = of(r#"{"1": [2, 0], "0": []}"#);
        assert_eq!(
            (pruned.left(0, 4), pruned.left(1, 4), pruned.left(7, 2)),
            (vec![0, 1, 2, 3], vec![1, 3], vec![0, 1])
        );
        assert_eq!(pruned.fault(2, 4), None);
        for (layers, heads) in [(1, 4), (2, 2)] {
            assert!(pruned.fault(layers, heads).unwrap().contains("{0, 2} for layer 1"));
        }
        assert!(of(r#"{"0": [0, 1]}"#).fault(1, 2).is_some(), "no head is left");
    }
}
