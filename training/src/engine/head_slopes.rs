//! How much the loss depends on each attention head.

use super::classifier::Classifier;

impl Classifier {
    /// Lets nothing learn but the matrices by which attention heads are heard.
    pub(crate) fn learn_by_heads_alone(&self) {
        self.parameters().iter().for_each(|parameter| parameter.set_learning(false));
        self.encoder().layers().iter().for_each(|(attention, _)| attention.outer.set_learning(true));
    }

    /// For each layer and head, the slope of the last backward pass' loss in a factor on what the head hands on, at 1. The gradient is
    /// zero afterwards.
    ///
    /// A head's share of a block is the product of what it gathered and its columns of the output matrix, so that a factor on
    /// the head is one on those columns: its slope is their sum of weight times gradient.
    pub(crate) fn take_head_slopes(&self) -> Vec<Vec<f64>> {
        let layers = self.encoder().layers().iter();
        let of_layer = layers.map(|(attention, _)| {
            let width = attention.outer.shape()[1];
            let size = width / attention.heads;
            let mut slopes = vec![0.0; attention.heads];
            let (weights, mut gradient) = (attention.outer.value(), attention.outer.gradient());
            for (place, (weight, slope)) in weights.iter().zip(&gradient.values).enumerate() {
                slopes[place % width / size] += f64::from(*weight) * f64::from(*slope);
            }
            gradient.values.fill(0.0);
            slopes
        });
        of_layer.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Mode;
    use crate::engine::gradient_tests::loss;
    use crate::engine::samples::classifier;

    const MODE: Mode = Mode::Training { seed: 1, step: 2, dropout: 0.0 };

    #[test]
    fn slopes_agree_with_finite_differences() {
        let model = classifier();
        model.learn_by_heads_alone();
        loss(&model, MODE).backward().unwrap();
        let slopes = model.take_head_slopes();
        assert_eq!(slopes.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        for (layer, slopes) in slopes.into_iter().enumerate() {
            let outer = &model.encoder().layers()[layer].0.outer;
            let whole = outer.value().clone();
            for (head, slope) in slopes.into_iter().enumerate() {
                let at = |factor: f32| {
                    let scaled = whole.iter().enumerate();
                    let scaled =
                        scaled.map(|(place, value)| if place % 18 / 6 == head { value * factor } else { *value });
                    *outer.value_mut() = scaled.collect();
                    f64::from(loss(&model, MODE).to_scalar::<f32>().unwrap())
                };
                let (near, far) = ((at(1.01) - at(0.99)) / 0.02, (at(1.02) - at(0.98)) / 0.04);
                let expected = (4.0 * near - far) / 3.0;
                assert!(
                    (slope - expected).abs() < 4e-4 + 0.02 * expected.abs(),
                    "{layer}.{head}: {slope}, not {expected}"
                );
                *outer.value_mut() = whole.clone();
            }
        }
    }

    #[test]
    fn a_head_that_is_not_heard_has_no_slope_and_nothing_else_learns() {
        let model = classifier();
        model.learn_by_heads_alone();
        let outer = &model.encoder().layers()[1].0.outer;
        outer
            .value_mut()
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| place % 18 / 6 == 2)
            .for_each(|(_, value)| *value = 0.0);
        loss(&model, MODE).backward().unwrap();
        assert_eq!(model.parameters().iter().filter(|parameter| parameter.has_gradient()).count(), 2);
        let slopes = model.take_head_slopes();
        assert_eq!(slopes[1][2], 0.0);
        assert!(slopes.iter().flatten().filter(|slope| **slope != 0.0).count() == 5, "{slopes:?}");
        assert!(model.parameters().iter().all(|parameter| !parameter.has_gradient()));
    }
}
