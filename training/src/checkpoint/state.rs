//! What a checkpoint keeps.

use serde::{Deserialize, Serialize};

use crate::engine::Optimizer;

/// How far a fitting is; `H` is how it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place<H> {
    /// Steps taken, in all epochs together.
    pub(crate) step: usize,
    /// The losses of this epoch's steps, added up.
    pub(crate) losses: f64,
    /// The time that this epoch's steps took.
    pub(crate) seconds: f64,
    /// The time that the run had taken at its last checkpoint.
    pub(crate) run_seconds: f64,
    pub(crate) history: H,
}

/// Everything that the next step depends on beside the run and the model's parameters.
#[derive(Debug)]
pub(crate) struct State<H> {
    pub(crate) optimizer: Optimizer,
    pub(crate) place: Place<H>,
    /// The weights of the best epoch; empty where none is kept yet.
    pub(crate) best: Vec<Vec<f32>>,
}

impl<H: Default> State<H> {
    pub(crate) fn new(optimizer: Optimizer) -> Self {
        let place = Place { step: 0, losses: 0.0, seconds: 0.0, run_seconds: 0.0, history: H::default() };
        Self { optimizer, place, best: Vec::new() }
    }
}
