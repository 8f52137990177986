//! `cargo bench -p alerting`: time to evaluate one observation under one rule of each kind.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use alerting::{Evaluator, Mention, Observation, RuleSet};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use foundation::EventTime;

const OBSERVATIONS: u64 = 20_000;

const RULES: &str = r#"
    [[rule]]
    name = "message"
    kind = "message"
    scope = "entity"
    max_score = -0.95

    [[rule]]
    name = "threshold"
    kind = "threshold"
    scope = "topic"
    metric = "mean_score"
    window = "1h"
    at_most = -0.5
    min_messages = 20

    [[rule]]
    name = "surge"
    kind = "surge"
    scope = "entity"
"#;

/// Distinct headlines about a thousand entities, 200 ms of event time apart.
fn observations(first: u64) -> Vec<Observation> {
    let topic: Arc<str> = "news".into();
    let mix = |number: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 17) as usize;
    (first..first + OBSERVATIONS)
        .map(|number| {
            let negative = if mix(number) % 10 < 3 { 0.9 } else { 0.1 };
            let words: Vec<String> = (0..9).map(|word| format!("w{}", mix(number * 16 + word) % 8000)).collect();
            Observation {
                topic: topic.clone(),
                partition: (number % 4) as i32,
                offset: number as i64,
                time: EventTime::from_unix(1_200_000_000)
                    .unwrap_or(EventTime::MIN)
                    .plus(std::time::Duration::from_millis(number * 200)),
                entities: vec![Mention { name: format!("Company{}", mix(number) % 1000).into(), relevance: 1.0 }],
                label_topic: Some(["credit", "legal", "earnings"][mix(number) % 3].into()),
                positive: 0.05,
                negative,
                score: 0.05 - negative,
                gravity: 1.0,
                title_or_text: words.join(" ").into(),
                source: None,
            }
        })
        .collect()
}

fn evaluator(criterion: &mut Criterion) {
    let Ok(rules) = RuleSet::parse(RULES, Path::new("bench.toml")) else { return };
    let mut evaluator = Evaluator::new(Arc::new(rules));
    let mut first = 0;
    let mut group = criterion.benchmark_group("evaluator");
    group.sample_size(20).throughput(Throughput::Elements(OBSERVATIONS));
    group.bench_function("offer and advance, three rules", |bencher| {
        bencher.iter_batched(
            || {
                first += OBSERVATIONS;
                observations(first)
            },
            |observations| {
                let last = observations.last().map(|observation| observation.time);
                for observation in observations {
                    evaluator.offer(observation);
                }
                black_box(last.map(|last| evaluator.advance(last)))
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, evaluator);
criterion_main!(benches);
