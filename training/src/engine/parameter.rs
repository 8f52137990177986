//! Trained weights, with the gradient that a step adds up beside them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::adapter::LowRank;
use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};

/// A weight matrix, bias, scale or embedding table.
#[derive(Debug)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    role: Role,
    depth: usize,
    learns: AtomicBool,
    value: RwLock<Vec<f32>>,
    gradient: Mutex<Gradient>,
    /// What is learned in its stead, where something is.
    changes: OnceLock<Vec<Arc<LowRank>>>,
}

/// What a parameter is, which decides how the optimiser treats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A matrix: weight decay applies.
    Weight,
    /// A bias, or a layer norm's scale or shift: never decays.
    Offset,
    /// An embedding table: rows that no batch has met stay as they are.
    Table,
    /// No weight, but what a method remembers from step to step: never learns, and stays with the weights wherever they go.
    Record,
}

/// A gradient being added up.
#[derive(Debug)]
pub(super) struct Gradient {
    /// As long as the parameter.
    pub(super) values: Vec<f32>,
    /// For a table: which rows have had a gradient since the last step.
    pub(super) met_rows: Option<Vec<bool>>,
}

impl Parameter {
    /// A parameter. `depth` counts from 0 at the embeddings up to the heads.
    pub(super) fn new(name: impl Into<String>, shape: &[usize], role: Role, depth: usize, value: Vec<f32>) -> Self {
        debug_assert_eq!(value.len(), shape.iter().product::<usize>());
        let gradient =
            Gradient { values: vec![0.0; value.len()], met_rows: (role == Role::Table).then(|| vec![false; shape[0]]) };
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            role,
            depth,
            learns: AtomicBool::new(role != Role::Record),
            value: RwLock::new(value),
            gradient: Mutex::new(gradient),
            changes: OnceLock::new(),
        }
    }

    /// The name, as in the checkpoint; parts that are trained as one are named by the whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape, rows first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the last backward pass left a gradient other than zero.
    pub fn has_gradient(&self) -> bool {
        self.gradient().values.iter().any(|value| *value != 0.0)
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn value(&self) -> RwLockReadGuard<'_, Vec<f32>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn value_mut(&self) -> RwLockWriteGuard<'_, Vec<f32>> {
        self.value.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether backward passes add to its gradient, and steps move it.
    pub(crate) fn learns(&self) -> bool {
        self.learns.load(Ordering::Relaxed)
    }

    pub(crate) fn set_learning(&self, learns: bool) {
        self.learns.store(learns, Ordering::Relaxed);
    }

    /// Lets a matrix be its value of now with these changes, which each have rows of their own. Only the first call counts.
    pub(super) fn change(&self, changes: Vec<Arc<LowRank>>) {
        self.changes.get_or_init(|| changes);
    }

    /// Brings the value up to date with the changes.
    pub(super) fn compose(&self) {
        for change in self.changes() {
            change.compose(&mut self.value_mut());
        }
    }

    /// Whether a backward pass has something to do for it.
    pub(super) fn takes_gradient(&self) -> bool {
        self.learns() || self.changes().iter().any(|change| change.learns())
    }

    fn changes(&self) -> &[Arc<LowRank>] {
        self.changes.get().map_or(&[], Vec::as_slice)
    }

    /// Adds `left · right` to the gradient of a matrix, if it learns, and their share to those of its changes.
    pub(super) fn add_product(&self, left: Matrix<'_>, right: Matrix<'_>) {
        self.changes().iter().for_each(|change| change.add_product(left, right));
        if !self.learns() {
            return;
        }
        let mut gradient = self.gradient();
        let mut target = MatrixMut::new(&mut gradient.values, self.shape[1]);
        multiply(&mut target, Target::Add, left, right, 1.0, Threads::All);
    }

    pub(super) fn gradient(&self) -> MutexGuard<'_, Gradient> {
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
