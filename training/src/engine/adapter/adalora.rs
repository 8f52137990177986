//! AdaLoRA.

mod budget;
mod importance;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::low_rank::{self, Gains, LowRank, Start, Target, Thin};
use super::{Adapter, Host, normal};
use crate::engine::matrix::{Matrix, MatrixMut, Target as Into, Threads, multiply};
use crate::engine::parameter::{Parameter, Role};
use budget::{Budget, Stage};
use importance::Importance;

/// The spread of new directions.
const DEVIATION: f64 = 0.02;

/// Adaptive low-rank adaptation (Zhang and others, "Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", 2023): to
/// each target `alpha / rank · P · Λ · Q` is added, where Λ is diagonal and P and Q are drawn towards being orthogonal. All
/// targets share one budget of directions, which falls while the run goes on; those whose importance is least lose theirs.
///
/// ```toml
/// [hyperparameters]
/// learning_rate = 1e-3
/// adapter = { kind = "adalora", rank = 12, target_rank = 8, targets = ["query", "value", "intermediate"] }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaLora {
    /// The directions that each target begins with.
    pub rank: usize,
    /// The directions that it has in the end, in the mean of all targets.
    pub target_rank: usize,
    /// What the product counts, times the rank.
    pub alpha: f64,
    /// What is changed.
    pub targets: Vec<Target>,
    /// The share of the run's steps before the budget begins to fall.
    pub start: f64,
    /// The share of the run's steps, at its end, in which what is left is only trained.
    pub settle: f64,
    /// Steps from one distribution of the budget to the next.
    pub interval: usize,
    /// The weight γ of `‖PᵀP - I‖² + ‖QQᵀ - I‖²`, in the mean of all targets.
    pub orthogonality: f64,
}

impl Default for AdaLora {
    fn default() -> Self {
        Self {
            rank: 12,
            target_rank: 8,
            alpha: 24.0,
            targets: Target::ALL.to_vec(),
            start: 0.1,
            settle: 0.3,
            interval: 10,
            orthogonality: 0.1,
        }
    }
}

impl AdaLora {
    pub(super) fn fault(&self) -> Option<&'static str> {
        let shares = (0.0..1.0).contains(&self.start) && (0.0..1.0).contains(&self.settle);
        if !(1..=self.rank).contains(&self.target_rank) {
            return Some("target_rank must be 1 to rank");
        }
        if !shares || self.start + self.settle >= 1.0 {
            return Some("start and settle must be shares from 0, below 1 together");
        }
        if self.interval == 0 {
            return Some("interval must be at least 1");
        }
        if !(0.0..=100.0).contains(&self.orthogonality) {
            return Some("orthogonality must be 0 to 100");
        }
        low_rank::fault(self.rank, self.alpha, &self.targets)
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> AdaLoraAdapter {
        let (rank, scale) = (self.rank, (self.alpha / self.rank as f64) as f32);
        let mut importance = Vec::new();
        let make = |start: Start<'_>| {
            let Start { inputs, outputs, .. } = start;
            let mut drawn = |count| normal(count, DEVIATION, host.random);
            let values = start.parameter("adalora_gains", &[rank], Role::Offset, vec![0.0; rank]);
            let gates = start.parameter("adalora_gates", &[rank], Role::Record, vec![1.0; rank]);
            let down = start.parameter("adalora_q", &[rank, inputs], Role::Weight, drawn(rank * inputs));
            let up = start.parameter("adalora_p", &[outputs, rank], Role::Weight, drawn(outputs * rank));
            importance.push([&down, &up, &values].map(Importance::of));
            Thin { down, up, gains: Some(Gains { values, gates }) }
        };
        let changes = low_rank::change(host.layers, &self.targets, scale, make);
        let count = changes.len();
        let budget = Budget { first: self.rank * count, last: self.target_rank * count, settings: self.clone() };
        AdaLoraAdapter { changes: changes.into_iter().zip(importance).collect(), budget }
    }
}

/// The changes of all layers, each with how important its parameters have been.
#[derive(Debug)]
pub(super) struct AdaLoraAdapter {
    changes: Vec<(Arc<LowRank>, [Importance; 3])>,
    budget: Budget,
}

impl Adapter for AdaLoraAdapter {
    fn is_merged(&self) -> bool {
        true
    }

    fn parameters(&self) -> Vec<&Parameter> {
        let mut all = Vec::new();
        for (change, importance) in &self.changes {
            all.extend(change.parameters());
            all.extend(importance.iter().flat_map(Importance::parameters));
        }
        all
    }

    fn before_step(&self) {
        let weight = (self.budget.settings.orthogonality / self.changes.len() as f64) as f32;
        for (change, importance) in &self.changes {
            straighten(change, weight);
            for (parameter, importance) in trained(change).zip(importance) {
                importance.meet(parameter);
            }
        }
    }

    fn after_step(&self, step: usize, total: usize) {
        let stage = self.budget.stage(step + 1, total);
        let (Stage::Falling(budget) | Stage::Settled(budget)) = stage else { return };
        self.distribute(budget);
        if let Stage::Settled(_) = stage {
            for gains in self.changes.iter().filter_map(|(change, _)| change.gains.as_ref()) {
                let values = gains.values.value();
                let open = values.iter().map(|value| if *value == 0.0 { 0.0 } else { 1.0 });
                gains.gates.value_mut().iter_mut().zip(open).for_each(|(gate, open)| *gate = open);
            }
            tracing::info!("AdaLoRA has settled on {budget} directions: {}", self.ranks());
        }
    }
}

impl AdaLoraAdapter {
    /// Leaves so many directions, the most important ones, something.
    fn distribute(&self, budget: usize) {
        let mut scores = Vec::new();
        for (place, (change, importance)) in self.changes.iter().enumerate() {
            let [down, up, gains] = importance;
            let (rank, outputs) = (change.down.shape()[0], change.up.shape()[0]);
            let (down, up, gains) = (down.rows(rank), up.columns(rank, outputs), gains.rows(rank));
            scores.extend(
                (0..rank).map(|direction| (down[direction] + up[direction] + gains[direction], place, direction)),
            );
        }
        // Those that are alike keep their order, since the sort is stable.
        scores.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (_, place, direction) in scores.into_iter().skip(budget) {
            if let Some(gains) = &self.changes[place].0.gains {
                gains.values.value_mut()[direction] = 0.0;
            }
        }
    }

    /// Each target's directions that count.
    fn ranks(&self) -> String {
        let of = |(change, _): &(Arc<LowRank>, _)| {
            let name = change.up.name().trim_end_matches(".adalora_p");
            format!("{name} {}", change.counts().iter().filter(|count| **count != 0.0).count())
        };
        self.changes.iter().map(of).collect::<Vec<_>>().join(", ")
    }
}

/// What is trained of a change, in the order of its importance.
fn trained(change: &LowRank) -> impl Iterator<Item = &Parameter> {
    [&change.down, &change.up].into_iter().chain(change.gains.as_ref().map(|gains| &gains.values))
}

/// Adds the gradient of `weight · (‖PᵀP - I‖² + ‖QQᵀ - I‖²)`.
fn straighten(change: &LowRank, weight: f32) {
    let (rank, inputs) = (change.down.shape()[0], change.down.shape()[1]);
    let mut excess = vec![0.0; rank * rank];
    let mut measure = |one: Matrix<'_>, other: Matrix<'_>| {
        multiply(&mut MatrixMut::new(&mut excess, rank), Into::Set, one, other, 4.0 * weight, Threads::All);
        excess.iter_mut().step_by(rank + 1).for_each(|diagonal| *diagonal -= 4.0 * weight);
        excess.clone()
    };
    let (up, down) = (change.up.value(), change.down.value());
    let (up, down) = (Matrix::new(&up, rank), Matrix::new(&down, inputs));
    change.up.add_product(up, Matrix::new(&measure(up.transposed(), up), rank));
    change.down.add_product(Matrix::new(&measure(down, down.transposed()), rank), down);
}

#[cfg(test)]
mod tests;
