use std::collections::BTreeMap;
use std::fs;

use inference::onnx::{DataType, ModelProto};
use inference::{BackendChoice, BackendConfig, EncoderModel, ModelDirectory};
use tempfile::TempDir;

use super::tests::{edit_config, expected, staging};
use super::*;

fn texts() -> Vec<String> {
    expected().0
}

fn calibration(full: &TempDir) -> Calibration {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().cycle().take(28).map(|text| &**text).collect();
    Calibration::observe(full.path(), &texts, RangeMethod::Mse).unwrap()
}

/// The tiny model in f32, and beside it in another form.
fn compressed(form: impl FnOnce(&TempDir) -> Form) -> (TempDir, TempDir, Precision) {
    let (full, small) = (staging(), staging());
    export(full.path()).unwrap();
    let form = form(&full);
    compress(full.path(), small.path(), &form).unwrap();
    (full, small, form.precision())
}

fn agreement(full: &TempDir, small: &TempDir, precision: Precision) -> Result<AgreementReport, ExportError> {
    let texts = texts();
    check_agreement(full.path(), small.path(), precision, &texts.iter().map(|text| &**text).collect::<Vec<_>>())
}

/// The weights' bytes in a model file, by type.
fn bytes_by_type(directory: &TempDir) -> BTreeMap<DataType, usize> {
    let model = ModelProto::read(&directory.path().join("model.onnx")).unwrap();
    let mut bytes = BTreeMap::new();
    for weight in model.graph.unwrap().initializer {
        *bytes.entry(DataType::try_from(weight.data_type).unwrap()).or_default() += weight.raw_data.len();
    }
    bytes
}

#[test]
fn every_form_runs_in_both_back_ends_and_says_the_same() {
    #[track_caller]
    fn check(form: impl FnOnce(&TempDir) -> Form, from_full: f32, between: f32) {
        let (full, small, precision) = compressed(form);
        let report = agreement(&full, &small, precision).unwrap();
        assert_eq!(report.heads.len(), 4, "two heads in each of two back ends; this test needs ONNX Runtime");
        assert!(report.heads.iter().all(|head| head.share == 1.0), "{report:?}");
        assert!(report.max_abs_delta < from_full && report.max_abs_delta > 0.0, "{report:?}");
        assert!(report.between_backends.unwrap().max < between, "{report:?}");
        assert_eq!(Identity::shared(full.path(), small.path()).unwrap(), Identity::of(full.path()).unwrap());
    }
    check(|_| Form::Fp16, 2e-3, 2e-5);
    check(|_| Form::Int8Dynamic, 0.1, 0.05);
    check(|full| Form::Int8(calibration(full)), 0.1, 0.05);
}

#[test]
fn no_matrix_is_left_in_f32() {
    // Tables: (70 + 32 + 2) rows of 8; per layer four 8 × 8 and two 8 × 16; the pooler's 8 × 8 and the classifier's 8 × 7.
    let matrices = 104 * 8 + 2 * (4 * 64 + 2 * 128) + 64 + 56;
    let (_, half, _) = compressed(|_| Form::Fp16);
    assert_eq!(bytes_by_type(&half)[&DataType::Float16], 2 * matrices);
    for form in [|_: &TempDir| Form::Int8Dynamic, |full: &TempDir| Form::Int8(calibration(full))] {
        let (full, small, _) = compressed(form);
        // A product's zero point is one byte.
        assert_eq!(bytes_by_type(&small)[&DataType::Int8], matrices + 14);
        // What remains in f32 is vectors: biases, normalisations and scales.
        assert!(bytes_by_type(&small)[&DataType::Float] < bytes_by_type(&full)[&DataType::Float] / 2);
    }
}

#[test]
fn a_texts_scores_do_not_depend_on_its_neighbours() {
    let texts = texts();
    let together: Vec<&str> = texts.iter().map(|text| &**text).collect();
    for form in [|_: &TempDir| Form::Int8Dynamic, |full: &TempDir| Form::Int8(calibration(full))] {
        let (_full, small, _) = compressed(form);
        let directory = ModelDirectory::open(small.path()).unwrap();
        for backend in [BackendChoice::Ort, BackendChoice::Tract] {
            let config = BackendConfig { backend, ..BackendConfig::default() };
            let mut model = EncoderModel::load(&directory, "1", &config).unwrap();
            let rows = model.logits(&together).unwrap();
            for (text, row) in together.iter().zip(rows.outer_iter()) {
                let alone = model.logits(&[text]).unwrap();
                let delta = alone.iter().zip(&row).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                assert!(delta < 1e-5, "{backend:?}: {text:?} differs by {delta}");
            }
        }
    }
}

#[test]
fn a_model_that_says_something_else_is_refused() {
    let (full, small, precision) = compressed(|_| Form::Int8Dynamic);
    // Other weights of the same shape: the file's own, in the order of their bits.
    let path = small.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for number in bytes[header..].chunks_exact_mut(4) {
        number[3] ^= 0x80;
    }
    fs::write(&path, bytes).unwrap();
    compress(small.path(), small.path(), &Form::Int8Dynamic).unwrap();
    let error = agreement(&full, &small, precision).unwrap_err();
    assert!(matches!(&error, ExportError::Disagreement { least: 0.95, .. }), "{error}");
    let message = error.to_string();
    for part in ["int8-dynamic in ort", "of 7 texts, fewer than 95.0 %", "is refused", "fp16"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_calibration_needs_texts_and_the_same_model() {
    let full = staging();
    export(full.path()).unwrap();
    let error = Calibration::observe(full.path(), &["one"; 15], RangeMethod::MinMax).unwrap_err().to_string();
    assert!(error.contains("15 texts are too few") && error.contains("at least 16"), "{error}");

    let calibrated = calibration(&full);
    assert_eq!((calibrated.texts(), calibrated.method()), (28, RangeMethod::Mse));
    let other = staging();
    edit_config(&other, |config| config["pooling"] = "mean".into());
    let error = compress(other.path(), other.path(), &Form::Int8(calibrated)).unwrap_err().to_string();
    assert!(error.contains("no range of pooler.mean"), "{error}");
}
