//! What the engine costs around a model that costs nothing, and what the back ends cost on a tiny one.
//!
//! `cargo bench -p inference`; the figures for a real encoder come from `pulsewire bench inference`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use foundation::parts::Part;
use inference::backend::{Backend, OrtBackend, TractBackend};
use inference::{BatchingConfig, ConstantModel, Engine, Head, ModelDirectory, TokenBatch, Tokens};
use tokio::runtime::Runtime;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny");
const BLOCK: usize = 500;

/// Blocks of distinct texts of about 300 bytes.
fn blocks(count: usize) -> Vec<Vec<Arc<str>>> {
    let filler = "shares of the bank fall ".repeat(12);
    let block = |block: usize| (0..BLOCK).map(|row| format!("{block} {row} {filler}").into()).collect();
    (0..count).map(block).collect()
}

fn engine(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let heads = [Head::new("sentiment", ["negative", "neutral", "positive"]), Head::new("topic", ["a", "b"])];
    let model = ConstantModel::new(heads, "1");
    let engine = Engine::spawn(Box::new(model), &BatchingConfig::default()).unwrap();
    let mut group = criterion.benchmark_group("engine");
    for callers in [1, 4] {
        let blocks = blocks(callers);
        group.throughput(Throughput::Elements((callers * BLOCK) as u64));
        group.bench_with_input(BenchmarkId::new("constant model, callers", callers), &blocks, |bencher, blocks| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let calls: Vec<_> = blocks
                        .iter()
                        .map(|block| {
                            let (engine, block) = (engine.clone(), block.clone());
                            tokio::spawn(async move { engine.score(block).await.unwrap().len() })
                        })
                        .collect();
                    for call in calls {
                        black_box(call.await.unwrap());
                    }
                });
            });
        });
    }
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    let texts: Vec<Tokens> =
        (0..64_u32).map(|row| Tokens::new((0..16).map(|i| 5 + (row + i) % 60).collect::<Vec<_>>())).collect();
    let batch = TokenBatch::new(&texts.iter().collect::<Vec<_>>());
    let mut backends: Vec<Box<dyn Backend>> =
        vec![Box::new(TractBackend::load(&directory, NonZeroUsize::MIN).unwrap())];
    if let Ok(library) = Part::OnnxRuntime.locate() {
        backends.push(Box::new(OrtBackend::load(&directory, &library, NonZeroUsize::MIN).unwrap()));
    }
    let mut group = criterion.benchmark_group("tiny model, 64 rows of 16 tokens");
    group.throughput(Throughput::Elements(texts.len() as u64));
    for backend in &mut backends {
        group.bench_function(backend.name(), |bencher| bencher.iter(|| backend.run(black_box(&batch)).unwrap()));
    }
    group.finish();
}

fn tokenizer(criterion: &mut Criterion) {
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    let mut group = criterion.benchmark_group("tokenizer");
    let headline = "shares of the bank fall";
    let long = headline.repeat(400_000);
    for (name, text) in [("headline", headline), ("10 MB", &*long)] {
        group.bench_function(name, |bencher| bencher.iter(|| directory.tokenizer().encode(black_box(text)).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, engine, backends, tokenizer);
criterion_main!(benches);
