//! Rows a second into the embedded store over HTTP, in blocks of 1,000 and 10,000 rows of some 300 bytes.
//!
//! `cargo bench -p storage --bench insert`. The store runs in a process of its own, as it does in production; both
//! processes share the machine's cores. The processor time that each row costs either side is printed at the end.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use clickhouse::Row;
use criterion::{BenchmarkId, Criterion, Throughput};
use foundation::EventTime;
use foundation::parts::Part;
use serde::{Deserialize, Serialize};
use storage::embedded::{EmbeddedConfig, serve};
use storage::{ConnectionFile, Store};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const DIRECTORY: &str = "PULSEWIRE_BENCH_STORE_DIRECTORY";

#[derive(Row, Serialize, Deserialize)]
struct Scored {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(with = "storage::columns::event_time")]
    event_time: EventTime,
    entities: Vec<String>,
    relevance: Vec<f32>,
    positive: f32,
    neutral: f32,
    negative: f32,
    model: String,
    text: String,
}

const TABLE: &str = "CREATE TABLE scored (
    topic LowCardinality(String), `partition` Int32, `offset` Int64, event_time DateTime64(3, 'UTC'),
    entities Array(LowCardinality(String)), relevance Array(Float32), positive Float32, neutral Float32,
    negative Float32, model LowCardinality(String), text String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (topic, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000";

const WORDS: [&str; 12] = [
    "bank",
    "profit",
    "warns",
    "shares",
    "falls",
    "after",
    "quarterly",
    "results",
    "of",
    "mortgage",
    "lender",
    "rises",
];

fn row(offset: i64) -> Scored {
    let mut text = String::with_capacity(240);
    let mut pick = offset as usize;
    while text.len() < 220 {
        pick = pick.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(pick >> 33) % WORDS.len()]);
        text.push(' ');
    }
    Scored {
        topic: "news".into(),
        partition: 0,
        offset,
        event_time: EventTime::from_millis(1_200_000_000_000 + offset * 250).unwrap(),
        entities: vec!["Northern Rock".into()],
        relevance: vec![0.8],
        positive: 0.1,
        neutral: 0.2,
        negative: 0.7,
        model: "finance-sentiment".into(),
        text,
    }
}

fn main() {
    let runtime = Runtime::new().unwrap();
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return serve_until_stdin_closes(&runtime, directory.into());
    }
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let config = ConnectionFile::read(directory.path()).unwrap().config();
    let store = runtime.block_on(async {
        let store = Store::connect_when_up(&config, CancellationToken::new()).await.unwrap();
        store.execute(TABLE).await.unwrap();
        store
    });
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let (client_before, server_before) = (processor_seconds("self"), processor_seconds(&server.id().to_string()));
    let rows = insert(&mut criterion, &runtime, &store);
    let client = processor_seconds("self") - client_before;
    let served = processor_seconds(&server.id().to_string()) - server_before;
    if rows > 0 {
        let micros = |seconds: f64| seconds * 1e6 / rows as f64;
        println!("{rows} rows; processor time a row: client {:.2} µs, store {:.2} µs", micros(client), micros(served));
    }
    criterion.final_summary();
    stop(server);
}

/// Measures, and gives the number of rows that were inserted on the way.
fn insert(criterion: &mut Criterion, runtime: &Runtime, store: &Store) -> i64 {
    let mut next = 0i64;
    let mut group = criterion.benchmark_group("insert");
    for size in [1_000i64, 10_000] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched(
                || {
                    next += size;
                    (next, (next - size..next).map(row).collect::<Vec<_>>())
                },
                |(end, rows)| {
                    let token = format!("news/0 {}-{end}", end - size);
                    runtime.block_on(store.insert_block("scored", &rows, &token)).unwrap();
                    rows
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    next
}

fn serve_until_stdin_closes(runtime: &Runtime, directory: PathBuf) {
    let mut config = EmbeddedConfig::new(directory, Part::Chdb.locate().unwrap());
    config.listen.set_port(0);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        stop.cancel();
    });
    runtime.block_on(serve(config, shutdown, |_| println!("ready"))).unwrap();
}

fn start(directory: &std::path::Path) -> Child {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    server
}

fn stop(mut server: Child) {
    drop(server.stdin.take());
    server.wait().unwrap();
}

/// User and system time of a process, from its `stat` in hundredths of a second.
fn processor_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
