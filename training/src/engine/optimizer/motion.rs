//! What an optimiser's rule is: how one parameter moves, and the state that this takes.

use std::fmt::Debug;

use rayon::prelude::*;

use super::STRETCH;

/// A step's constants for one parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    /// What the gradient is multiplied by.
    pub(super) clip: f32,
    /// What values are multiplied by: one less their decay.
    pub(super) keep: f32,
    /// The learning rate.
    pub(super) rate: f64,
    /// The step, from 1.
    pub(super) step: u64,
}

/// How one parameter moves, with the state of its movement.
pub(super) trait Motion: Debug + Send {
    /// Moves the values, by [`Part::each_stretch`], once.
    fn advance(&mut self, by: Update, part: Part<'_>);

    /// The state, by name.
    fn slices(&mut self) -> Vec<(&'static str, &mut [f32])>;
}

/// One parameter in a step.
pub(super) struct Part<'a> {
    pub(super) shape: &'a [usize],
    pub(super) value: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
    /// For a table: above 0 for rows that have ever had a gradient. The others stay as they are.
    pub(super) met: Option<&'a [f32]>,
}

/// Neighbouring values that move together; of a matrix, whole rows.
pub(super) struct Stretch<'a, const N: usize> {
    /// The first value's place in the parameter.
    pub(super) place: usize,
    pub(super) value: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
    /// The same stretch of each state that is as long as the parameter.
    pub(super) state: [&'a mut [f32]; N],
}

impl Part<'_> {
    /// Whether a row moves.
    pub(super) fn moves(&self, row: usize) -> bool {
        self.met.is_none_or(|met| met[row] > 0.0)
    }

    /// Hands every stretch that moves to `kernel`, in parallel, and clears its gradient.
    pub(super) fn each_stretch<const N: usize>(
        self,
        state: [&mut [f32]; N],
        kernel: impl Fn(&mut Stretch<'_, N>) + Send + Sync,
    ) {
        let row = self.shape.get(1).copied().unwrap_or(1);
        let width = if self.met.is_some() { row } else { row * (STRETCH / row).max(1) };
        let mut state = state.map(|values| values.chunks_mut(width));
        let stretches = self.value.chunks_mut(width).zip(self.gradient.chunks_mut(width)).enumerate();
        let work: Vec<Stretch<'_, N>> = stretches
            .map(|(index, (value, gradient))| {
                let state = state.each_mut().map(|chunks| chunks.next().unwrap_or_default());
                Stretch { place: index * width, value, gradient, state }
            })
            .filter(|stretch| self.met.is_none_or(|met| met[stretch.place / row] > 0.0))
            .collect();
        work.into_par_iter().for_each(|mut stretch| {
            kernel(&mut stretch);
            stretch.gradient.fill(0.0);
        });
    }
}
