//! Numbers as a head learns them: around zero and about one large, whatever their unit.

use crate::dataset::{Target, TaskData};

/// What the numbers of a task's training side are measured by. The head learns `(number - mean) / deviation`; before it is
/// saved, the same is undone in its weights, so that what is saved answers in the file's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) mean: f64,
    /// Above zero.
    pub(super) deviation: f64,
}

impl Scale {
    /// That of a task; none if its answers are no numbers.
    pub(super) fn of(data: &TaskData) -> Option<Self> {
        let numbers: Vec<f64> = data.train.iter().filter_map(|example| example.target.value()).collect();
        if numbers.is_empty() {
            return None;
        }
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        Some(Self { mean, deviation })
    }

    /// What the head should learn to answer.
    pub(super) fn learned(&self, target: &Target) -> Target {
        match target {
            Target::Value(value) => Target::Value((value - self.mean) / self.deviation),
            Target::Label(_) | Target::Contested { .. } | Target::Labels(_) | Target::Tags(_) => target.clone(),
        }
    }

    /// What the head's answer says in the file's unit.
    pub(super) fn restored(&self, logit: f32) -> f32 {
        (f64::from(logit) * self.deviation + self.mean) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Cleaning, Example, LabelSet};
    use crate::run::TaskKind;

    fn scale(targets: impl IntoIterator<Item = Target>) -> Option<Scale> {
        let train = targets.into_iter().map(|target| Example { text: String::new(), target }).collect();
        let (name, labels) = ("price".to_owned(), LabelSet::new(vec!["price".to_owned()]));
        let (kind, cleaning, digest) = (TaskKind::Regression, Cleaning::default(), String::new());
        Scale::of(&TaskData { name, kind, labels, train, validation: Vec::new(), test: Vec::new(), cleaning, digest })
    }

    #[test]
    fn numbers_are_learned_around_zero_and_come_back() {
        let scale = scale([10.0, 20.0, 30.0, 40.0].map(Target::Value)).unwrap();
        assert_eq!((scale.mean, scale.deviation), (25.0, 125f64.sqrt()));
        let Target::Value(learned) = scale.learned(&Target::Value(40.0)) else { panic!() };
        assert!((learned - 15.0 / 125f64.sqrt()).abs() < 1e-12);
        assert_eq!(scale.restored(learned as f32), 40.0);
    }

    #[test]
    fn what_has_no_scale_stays_what_it_is() {
        assert_eq!(scale([3.0, 3.0].map(Target::Value)), Some(Scale { mean: 3.0, deviation: 1.0 }));
        assert_eq!(scale([Target::Label(2)]), None);
    }
}
