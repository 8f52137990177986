use super::*;
use crate::engine::Optimizer;
use crate::engine::samples::batch;
use crate::random::Random;
use crate::run::Hyperparameters;

fn config() -> DecoderConfig {
    DecoderConfig::fresh(13, 40, 2, 18, 3)
}

/// Weights far from zero, so that gradients stand out of rounding.
pub(crate) fn model() -> Decoder {
    let model = Decoder::new(&config(), &fresh_weights(&config(), 3).unwrap()).unwrap();
    let mut random = Random::new(5, "weights");
    for parameter in model.parameters() {
        let spread = if parameter.role() == Role::Table { 1.0 } else { 0.3 };
        parameter.value_mut().iter_mut().for_each(|value| *value += (spread * random.normal()) as f32);
    }
    model
}

fn targets(batch: &PackedBatch) -> Vec<u32> {
    batch.tokens().iter().map(|token| (token * 3 + 1) % 13).collect()
}

fn loss(model: &Decoder, mode: Mode) -> Tensor {
    model.guess(&batch(), targets(&batch()), mode).unwrap().loss
}

fn logits(model: &Decoder, sequences: &[&[u32]]) -> Vec<Vec<f32>> {
    model.logits(&Arc::new(PackedBatch::new(sequences.iter().copied()))).unwrap().to_vec2().unwrap()
}

fn assert_close(left: &[f32], right: &[f32]) {
    let delta = left.iter().zip(right).fold(0.0f32, |largest, (left, right)| largest.max((left - right).abs()));
    assert!(left.len() == right.len() && delta < 2e-4, "{left:?} is not {right:?}");
}

#[test]
fn gradients_agree_with_finite_differences() {
    for dropout in [0.0, 0.1] {
        let (model, mode) = (model(), Mode::Training { seed: 1, step: 2, dropout });
        loss(&model, mode).affine(2.0, 0.0).unwrap().backward().unwrap();
        let mut random = Random::new(7, "directions");
        for parameter in model.parameters() {
            let gradient = parameter.gradient().values.clone();
            let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-3, "{}: gradient of norm {norm}", parameter.name());
            // Along the gradient the slope is its norm; in a random direction every element takes part.
            let along: Vec<f64> = gradient.iter().map(|value| f64::from(*value) / norm).collect();
            let drawn: Vec<f64> = gradient.iter().map(|_| random.normal()).collect();
            let length = drawn.iter().map(|value| value * value).sum::<f64>().sqrt();
            for direction in [along, drawn.iter().map(|value| value / length).collect()] {
                let centre = parameter.value().clone();
                let at = |distance: f64| {
                    for ((value, centre), part) in parameter.value_mut().iter_mut().zip(&centre).zip(&direction) {
                        *value = centre + (distance * part) as f32;
                    }
                    2.0 * f64::from(loss(&model, mode).to_scalar::<f32>().unwrap())
                };
                let central = |distance: f64| (at(distance) - at(-distance)) / (2.0 * distance);
                let slope = (4.0 * central(0.01) - central(0.02)) / 3.0;
                parameter.value_mut().copy_from_slice(&centre);
                let got: f64 = gradient.iter().zip(&direction).map(|(value, part)| f64::from(*value) * part).sum();
                assert!((slope - got).abs() < 1e-3 + 0.01 * norm, "{}: {got}, not {slope}", parameter.name());
            }
        }
    }
}

#[test]
fn a_later_token_changes_no_earlier_score() {
    let model = model();
    let (first, second) = (logits(&model, &[&[1, 5, 7, 2, 9]]), logits(&model, &[&[1, 5, 7, 3, 9]]));
    assert_eq!(first[..3], second[..3]);
    assert_ne!(first[3], second[3]);
    assert_ne!(first[4], second[4]);
    assert_ne!(logits(&model, &[&[1, 6, 7]])[2], first[2]);
}

#[test]
fn sequences_of_a_batch_do_not_see_each_other() {
    let model = model();
    let both = logits(&model, &[&[4, 4, 8], &[1, 5, 7, 2, 9]]);
    for (row, alone) in logits(&model, &[&[1, 5, 7, 2, 9]]).iter().enumerate() {
        assert_close(&both[3 + row], alone);
    }
}

#[test]
fn a_memory_gives_the_scores_of_the_whole_sequence() {
    let (model, tokens) = (model(), [1, 5, 7, 2, 9, 12, 0]);
    let whole = logits(&model, &[&tokens]);
    let mut memory = Memory::default();
    assert_close(&model.next(&tokens[..3], &mut memory).unwrap(), &whole[2]);
    assert_close(&model.next(&tokens[3..4], &mut memory).unwrap(), &whole[3]);
    assert_close(&model.next(&tokens[4..], &mut memory).unwrap(), &whole[6]);
    assert_eq!(memory.tokens(), 7);
}

#[test]
fn a_new_model_is_almost_even_and_learns_a_text_by_heart() {
    let model = Decoder::new(&config(), &fresh_weights(&config(), 3).unwrap()).unwrap();
    let text: [u32; 12] = [0, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 0];
    let batch = Arc::new(PackedBatch::new([&text[..11]]));
    let guess = |mode| model.guess(&batch, text[1..].to_vec(), mode).unwrap();
    let before = guess(Mode::Evaluation).loss.to_scalar::<f32>().unwrap();
    assert!((before - 13f32.ln()).abs() < 0.1, "{before}");
    let settings = Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() };
    let mut optimizer = Optimizer::new(&model.parameters(), &settings);
    for step in 0..150 {
        guess(Mode::Training { seed: 1, step, dropout: 0.0 }).loss.backward().unwrap();
        optimizer.step(&model.parameters(), 1e-2);
    }
    let after = guess(Mode::Evaluation);
    assert!(after.loss.to_scalar::<f32>().unwrap() < 0.05 && after.hits == 1.0, "{after:?}");
}

#[test]
fn a_saved_model_is_loaded_bit_for_bit_with_its_matrices_turned() {
    let (directory, model) = (tempfile::tempdir().unwrap(), model());
    model.save(&directory.path().join("model.safetensors")).unwrap();
    let weights = Weights::load(directory.path()).unwrap();
    let again = Decoder::new(&config(), &weights).unwrap();
    assert_eq!(logits(&again, &[&[1, 5, 7]]), logits(&model, &[&[1, 5, 7]]));
    // Row 0 of `[inputs, outputs]` is column 0 of ours.
    let inner = model.layers[0].attention.inner.value();
    assert_eq!(weights.values("h.0.attn.c_attn.weight", &[18, 54]).unwrap()[1], inner[18]);
}

#[test]
fn tokens_beyond_the_tables_are_refused() {
    let batch = |tokens: &[u32]| Arc::new(PackedBatch::new([tokens]));
    let refusal = |tokens: &[u32]| model().logits(&batch(tokens)).unwrap_err().to_string();
    assert!(refusal(&[13]).contains("there are 13 words"), "{}", refusal(&[13]));
    assert!(refusal(&[1; 41]).contains("position 40"), "{}", refusal(&[1; 41]));
}
