//! One training step of a MiniLM-L6 with new weights: `cargo bench -p training`.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use training::dataset::Target;
use training::engine::{Classifier, CrossEntropy, EncoderConfig, Mode, Objective, Optimizer, PackedBatch, Weights};
use training::{Hyperparameters, TaskKind};

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12,
    "num_hidden_layers": 6, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2}"#;
const ROWS: usize = 32;

/// Small weights that differ; layer norms of one.
fn weights(config: &EncoderConfig) -> anyhow::Result<Weights> {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let tables = [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ];
    for (name, rows) in tables {
        shapes.push((format!("embeddings.{name}_embeddings.weight"), vec![rows, hidden]));
    }
    let mut linears = vec![("pooler.dense".to_owned(), hidden, hidden)];
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..config.num_hidden_layers {
        let prefix = format!("encoder.layer.{layer}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linears.push((format!("{prefix}.attention.{part}"), hidden, hidden));
        }
        linears.push((format!("{prefix}.intermediate.dense"), wide, hidden));
        linears.push((format!("{prefix}.output.dense"), hidden, wide));
        norms.extend([format!("{prefix}.attention.output.LayerNorm"), format!("{prefix}.output.LayerNorm")]);
    }
    for (name, outputs, inputs) in linears {
        shapes.extend([(format!("{name}.weight"), vec![outputs, inputs]), (format!("{name}.bias"), vec![outputs])]);
    }
    let mut tensors = HashMap::new();
    for (name, shape) in shapes {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| 0.03 * (index as f32 * 0.77 + count as f32).sin()).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    for name in norms {
        tensors.insert(format!("{name}.weight"), Tensor::from_vec(vec![1.0f32; hidden], hidden, &Device::Cpu)?);
        tensors.insert(format!("{name}.bias"), Tensor::from_vec(vec![0.0f32; hidden], hidden, &Device::Cpu)?);
    }
    Ok(Weights::from_tensors(tensors))
}

fn step(model: &Classifier, optimizer: &mut Optimizer, batch: &Arc<PackedBatch>, number: u64) -> anyhow::Result<f64> {
    let pooled = model.encode(batch, Mode::Training { seed: 1, step: number, dropout: 0.1 })?;
    let targets: Vec<Target> = (0..batch.rows()).map(|row| Target::Label(row % 3)).collect();
    let targets: Vec<&Target> = targets.iter().collect();
    let kind = TaskKind::SingleLabel;
    let objective = Objective { kind, label_smoothing: 0.0, r_drop: 0.0, loss: Box::new(CrossEntropy) };
    objective.loss(&model.logits(&pooled, 0)?, &objective.wanted(&targets, 3)?)?.backward()?;
    Ok(optimizer.step(&model.parameters(), 1e-5))
}

fn benchmark(criterion: &mut Criterion) -> anyhow::Result<()> {
    let config: EncoderConfig = serde_json::from_str(CONFIG)?;
    let model = Classifier::new(&config, &weights(&config)?, &[3], 1)?;
    let mut optimizer = Optimizer::new(&model.parameters(), &Hyperparameters::default());
    let mut group = criterion.benchmark_group("training step, 32 rows");
    group.sample_size(10).throughput(Throughput::Elements(ROWS as u64));
    for length in [15, 30, 64] {
        let tokens: Vec<Vec<u32>> = (0..ROWS)
            .map(|row| (0..length).map(|place| ((row * 131 + place * 17) % 30_000) as u32).collect())
            .collect();
        let batch = Arc::new(PackedBatch::new(tokens.iter().map(Vec::as_slice)));
        let mut number = 0;
        let mut failure = None;
        group.bench_function(format!("{length} tokens"), |bencher| {
            bencher.iter(|| {
                number += 1;
                match step(&model, &mut optimizer, &batch, number) {
                    Ok(norm) => {
                        black_box(norm);
                    }
                    Err(error) => failure = Some(error),
                }
            });
        });
        if let Some(error) = failure {
            return Err(error);
        }
    }
    group.finish();
    Ok(())
}

fn run(criterion: &mut Criterion) {
    if let Err(error) = benchmark(criterion) {
        tracing::error!("{error:#}");
    }
}

criterion_group!(benches, run);
criterion_main!(benches);
