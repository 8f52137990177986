//! `cargo bench -p foundation --bench similarity`: time to judge one headline among those of a day.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use foundation::EventTime;
use foundation::similarity::{NoveltyConfig, NoveltyIndex, Signature};

/// Headlines of 8 to 14 words about 500 companies; words are about as frequent as in English.
fn headlines(count: u64) -> Vec<String> {
    let mut state = 42_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|number| {
            let words = 7 + (uniform() * 7.0) as usize;
            (0..words).fold(format!("Company{}", number % 500), |text, _| {
                // Zipf's law over 5,000 words.
                text + &format!(" word{}", 5000_f64.powf(uniform()) as u64)
            })
        })
        .collect()
}

fn similarity(criterion: &mut Criterion) {
    let headlines = headlines(100_000);
    let mut turn = headlines.iter().cycle();
    criterion.bench_function("signature of a headline", |bencher| {
        bencher.iter(|| turn.next().map(|text| Signature::of(black_box(text))));
    });
    let mut index = NoveltyIndex::new(NoveltyConfig::default());
    let mut millis = 1_200_000_000_000;
    let mut observe = |text: &str| {
        // 50,000 headlines a day.
        millis += 1_728;
        EventTime::from_millis(millis).map(|time| index.observe(time, text))
    };
    for text in &headlines {
        black_box(observe(text)).ok();
    }
    criterion.bench_function("novelty of a headline, 50,000 a day", |bencher| {
        bencher.iter(|| turn.next().map(|text| observe(black_box(text))));
    });
}

criterion_group!(benches, similarity);
criterion_main!(benches);
