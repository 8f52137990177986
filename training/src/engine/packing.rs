//! A batch without padding.

use std::ops::Range;

use candle_core::Var;

/// A sequence to be packed.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Its tokens; at least one.
    pub tokens: &'a [u32],
    /// The places where heads read it, those that are none left out.
    pub read: &'a [Option<usize>],
    /// Each token's type; empty where all are 0.
    pub types: &'a [u8],
}

/// Token sequences laid end to end.
#[derive(Debug, Clone)]
pub struct PackedBatch {
    tokens: Vec<u32>,
    starts: Vec<usize>,
    types: Vec<u8>,
    /// Where heads read.
    read: Vec<u32>,
    /// Places before each sequence's tokens that are no tokens.
    lead: usize,
    offsets: Option<Var>,
}

impl PackedBatch {
    /// Packs sequences that heads read at their first tokens; empty ones are not allowed, since nothing could stand for them.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        Self::read_at(sequences.into_iter().map(|tokens| (tokens, &[Some(0)][..])))
    }

    /// Packs sequences that heads read at places of their own.
    pub fn read_at<'a>(sequences: impl IntoIterator<Item = impl Into<Sequence<'a>>>) -> Self {
        let (mut tokens, mut starts, mut all_types, mut read) = (Vec::new(), vec![0], Vec::new(), Vec::new());
        for sequence in sequences {
            let Sequence { tokens: own, read: places, types } = sequence.into();
            debug_assert!(!own.is_empty() && places.iter().flatten().all(|place| *place < own.len()));
            read.extend(places.iter().flatten().map(|place| (tokens.len() + place) as u32));
            tokens.extend_from_slice(own);
            starts.push(tokens.len());
            all_types.extend_from_slice(types);
            all_types.resize(tokens.len(), 0);
        }
        Self { tokens, starts, types: all_types, read, lead: 0, offsets: None }
    }

    /// The same sequences with `offsets`, `[tokens, hidden]`, added to their tokens' word vectors. A backward pass gives them
    /// a gradient.
    pub fn moved(&self, offsets: Var) -> Self {
        Self { offsets: Some(offsets), ..self.clone() }
    }

    /// The same sequences with so many places before each, which no token has.
    pub(super) fn behind(&self, lead: usize) -> Self {
        let starts = self.starts.iter().enumerate().map(|(row, start)| start + row * lead).collect();
        // By how many sequences have begun there.
        let moved =
            |place: &u32| place + (self.starts.partition_point(|start| *start <= *place as usize) * lead) as u32;
        let read = self.read.iter().map(moved).collect();
        Self { starts, read, lead: self.lead + lead, ..self.clone() }
    }

    /// What is added to word vectors.
    pub(super) fn offsets(&self) -> Option<&Var> {
        self.offsets.as_ref()
    }

    /// All tokens of all sequences.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many sequences there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The places where heads read.
    pub fn read(&self) -> &[u32] {
        &self.read
    }

    /// Where all tokens are.
    pub(super) fn places(&self) -> Vec<u32> {
        self.spans().flat_map(|span| span.start + self.lead..span.end).map(|place| place as u32).collect()
    }

    /// The places of one sequence.
    pub(super) fn span(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    /// Every sequence's span.
    pub fn spans(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.rows()).map(|row| self.span(row))
    }

    /// Each token's position in its sequence.
    pub(super) fn positions(&self) -> Vec<usize> {
        self.spans().flat_map(|span| 0..span.len()).collect()
    }

    /// Each token's type.
    pub(super) fn types(&self) -> &[u8] {
        &self.types
    }
}

impl<'a> From<(&'a [u32], &'a [Option<usize>])> for Sequence<'a> {
    /// Of type 0 throughout.
    fn from((tokens, read): (&'a [u32], &'a [Option<usize>])) -> Self {
        Self { tokens, read, types: &[] }
    }
}

impl<'a> From<&'a inference::Tokens> for Sequence<'a> {
    /// Read at the first token.
    fn from(tokens: &'a inference::Tokens) -> Self {
        Self { tokens: tokens.ids(), read: &[Some(0)], types: tokens.types() }
    }
}

/// Cuts a slice into pieces of these lengths.
pub(super) fn pieces<T>(mut slice: &mut [T], lengths: impl IntoIterator<Item = usize>) -> Vec<&mut [T]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = slice.split_at_mut(length);
        pieces.push(piece);
        slice = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_keep_their_places() {
        let batch = PackedBatch::new([[5u32, 6].as_slice(), &[7], &[8, 9, 10]]);
        assert_eq!(batch.tokens(), [5, 6, 7, 8, 9, 10]);
        assert_eq!(batch.spans().collect::<Vec<_>>(), [0..2, 2..3, 3..6]);
        assert_eq!(batch.read(), [0, 2, 3]);
        let sequences = [(&[5u32, 6][..], &[Some(1), None][..]), (&[7], &[]), (&[8, 9, 10], &[Some(0), Some(2)])];
        assert_eq!(PackedBatch::read_at(sequences).read(), [1, 3, 5]);
        assert_eq!(batch.positions(), [0, 1, 0, 0, 1, 2]);
        assert_eq!(batch.types(), [0; 6]);
        let typed = [(&[5u32, 6][..], &[0, 1][..]), (&[7], &[]), (&[7, 8, 9], &[0, 2, 1])];
        let typed = typed.map(|(tokens, types)| Sequence { tokens, read: &[Some(0)], types });
        assert_eq!(PackedBatch::read_at(typed).types(), [0, 1, 0, 0, 2, 1]);
        let behind = batch.behind(2);
        assert_eq!(behind.spans().collect::<Vec<_>>(), [0..4, 4..7, 7..12]);
        assert_eq!((behind.read(), behind.places()), (&[2, 6, 9][..], vec![2, 3, 6, 9, 10, 11]));
        let mut values = [1, 2, 3, 4, 5, 6];
        assert_eq!(pieces(&mut values, [2, 1, 3]), [&mut [1, 2][..], &mut [3], &mut [4, 5, 6]]);
    }
}
