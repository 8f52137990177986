//! AdamW: Adam with decoupled weight decay (Kingma and Ba, 2015; Loshchilov and Hutter, 2019).

use super::motion::{Motion, Part, Update};
use crate::engine::vector::vectorised;

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f32 = 1e-8;

/// The running means of a parameter's gradients and of their squares.
#[derive(Debug)]
pub(super) struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// A step's constants, corrected for moments that began at zero.
#[derive(Clone, Copy)]
struct Corrected {
    clip: f32,
    keep: f32,
    rate: f32,
    second: f32,
}

impl Moments {
    pub(super) fn new(length: usize) -> Self {
        Self { first: vec![0.0; length], second: vec![0.0; length] }
    }
}

impl Motion for Moments {
    fn advance(&mut self, by: Update, part: Part<'_>) {
        let left = |decay: f64| 1.0 - decay.powi(by.step as i32);
        let (rate, second) = ((by.rate / left(FIRST_DECAY)) as f32, (1.0 / left(SECOND_DECAY).sqrt()) as f32);
        let by = Corrected { clip: by.clip, keep: by.keep, rate, second };
        part.each_stretch([&mut self.first, &mut self.second], |stretch| {
            let [first, second] = &mut stretch.state;
            update(by, stretch.value, stretch.gradient, first, second);
        });
    }

    fn slices(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("first_moment", &mut self.first), ("second_moment", &mut self.second)]
    }
}

vectorised! {
    fn update(by: Corrected, value: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        const FIRST: f32 = FIRST_DECAY as f32;
        const SECOND: f32 = SECOND_DECAY as f32;
        let moments = first.iter_mut().zip(second.iter_mut());
        for ((value, gradient), (first, second)) in value.iter_mut().zip(gradient).zip(moments) {
            let slope = gradient * by.clip;
            *first = (*first - slope).mul_add(FIRST, slope);
            *second = (*second - slope * slope).mul_add(SECOND, slope * slope);
            let scale = second.sqrt().mul_add(by.second, EPSILON);
            *value = value.mul_add(by.keep, -by.rate * *first / scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, run, settings, weight};

    #[test]
    fn steps_follow_the_paper() {
        let weight = weight(&[1, 2], &[1.0, -1.0]);
        let gradients = [[0.5f32, -2.0], [1.0, 0.25], [-0.125, 0.5]];
        run(&weight, &settings(), &gradients);
        let (mut expected, mut first, mut second) = ([1.0f64, -1.0], [0.0f64; 2], [0.0f64; 2]);
        for (step, gradient) in gradients.iter().enumerate() {
            for at in 0..2 {
                let slope = f64::from(gradient[at]);
                first[at] = 0.9 * first[at] + 0.1 * slope;
                second[at] = 0.999 * second[at] + 0.001 * slope * slope;
                let power = step as i32 + 1;
                let (mean, square) =
                    (first[at] / (1.0 - 0.9f64.powi(power)), second[at] / (1.0 - 0.999f64.powi(power)));
                expected[at] -= 0.01 * 0.1 * expected[at] + 0.01 * mean / (square.sqrt() + 1e-8);
            }
        }
        assert_close(&weight, &expected);
    }
}
