//! Measures decoding and consuming: `cargo run --release -p streaming --example rates -- [BROKERS [MESSAGES [ROWS [MILLISECONDS]]]]`.
//!
//! Without brokers only decoding is measured. With them a topic of 300-byte messages is filled and read twice: by a bare
//! consumer that only counts, and through blocks of that many rows, queues and a processor whose store only waits so long.

use std::convert::Infallible;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foundation::{Failure, FailureKind};
use streaming::consumer::BlockConfig;
use streaming::feed::{Pace, SendOptions};
use streaming::file::FileFormat;
use streaming::{
    ConnectionConfig, ConsumerConfig, ConsumerMetrics, Decoder, FieldMapping, Offsets, PartitionProcessor, Record,
    TopicPartition, consume,
};
use tokio_util::sync::CancellationToken;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    decoding()?;
    if let Some(brokers) = arguments.next() {
        let messages = arguments.next().map_or(Ok(500_000), |count| count.parse())?;
        let rows = arguments.next().unwrap_or_else(|| "4096".to_owned()).parse()?;
        let store = arguments.next().map_or(Ok(0), |millis| millis.parse())?;
        consuming(ConnectionConfig::to_brokers(brokers), messages, rows, Duration::from_millis(store)).await?;
    }
    Ok(())
}

fn say(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn payload(number: u64) -> String {
    let text = "Shares of the bank fell by a tenth after it said that losses on loans would be larger than it had expected, \
                the third such warning this year, and its chief executive said that he would step down in spring.";
    format!(
        "{{\"id\":\"{number:09}\",\"time\":\"2006-10-20T20:25:00Z\",\"title\":\"Bank falls\",\"text\":\"{text}\",\"source\":\"wire\"}}"
    )
}

fn decoding() -> Outcome {
    let record = Record {
        topic: "news".into(),
        partition: 0,
        offset: 0,
        timestamp: Some(0),
        key: None,
        payload: Bytes::from(payload(1)),
        headers: Vec::new(),
    };
    let decoder = Decoder::new(FieldMapping::default())?;
    let rounds = 200_000_u32;
    let timed = |name: &str, mut act: Box<dyn FnMut() -> usize + '_>| {
        let began = Instant::now();
        let sum: usize = (0..rounds).map(|_| act()).sum();
        let each = began.elapsed() / rounds;
        say(&format!("{name}: {each:?} for a message of {} bytes ({sum})", record.payload.len()))
    };
    timed("decode", Box::new(|| decoder.decode(&record).map_or(0, |message| message.text.len())))?;
    timed(
        "serde_json tree, nothing read from it",
        Box::new(|| {
            serde_json::from_slice::<serde_json::Value>(&record.payload)
                .map_or(0, |tree| tree.as_object().map_or(0, |map| map.len()))
        }),
    )
}

async fn consuming(connection: ConnectionConfig, messages: u64, rows: NonZeroUsize, store: Duration) -> Outcome {
    let topic = format!("rates-{}", std::process::id());
    Offsets::connect(&connection, "rates")?.ensure_topic(&topic, 2).await?;
    let file = tempfile::NamedTempFile::new()?;
    let mut writer = std::io::BufWriter::new(file.as_file());
    for number in 0..messages {
        writeln!(writer, "{}", payload(number))?;
    }
    writer.flush()?;
    let options = SendOptions {
        path: file.path().to_owned(),
        format: FileFormat::Ndjson,
        topic: topic.clone(),
        key_column: None,
        pace: Pace::Unlimited,
        first_row: 0,
        limit: None,
    };
    let began = Instant::now();
    streaming::feed::send(&connection, &options, &CancellationToken::new(), |_| {}).await?;
    report("feed send", messages, began.elapsed())?;

    let bare = streaming::rate::bare_consumer(&connection, &topic).await?;
    report("bare consumer", bare.messages, bare.elapsed)?;

    let counter =
        Arc::new(Counter { stored: AtomicU64::new(0), wanted: messages, store, done: CancellationToken::new() });
    let block = BlockConfig { max_rows: rows, ..BlockConfig::default() };
    let config =
        ConsumerConfig { connection, topics: vec![topic], group: "rates".into(), block, ..ConsumerConfig::default() };
    let metrics = ConsumerMetrics::new();
    let (done, watched) = (counter.done.clone(), Arc::clone(&metrics));
    let timing = tokio::spawn(async move {
        while watched.snapshot().received_messages == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        done.cancelled().await;
        began.elapsed()
    });
    consume(&config, Arc::clone(&counter), counter.done.clone(), Arc::clone(&metrics)).await?;
    report("consume, through blocks and queues", messages, timing.await?)?;
    say(&format!("pauses: {}", metrics.snapshot().pauses))
}

fn report(name: &str, messages: u64, elapsed: Duration) -> Outcome {
    say(&format!("{name}: {:.0} messages/s", messages as f64 / elapsed.as_secs_f64()))
}

struct Counter {
    stored: AtomicU64,
    wanted: u64,
    store: Duration,
    done: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Never(Infallible);

impl Failure for Never {
    fn kind(&self) -> FailureKind {
        match self.0 {}
    }
}

impl PartitionProcessor for Counter {
    type Partition = ();
    type Block = u64;
    type Error = Never;

    async fn assign(&self, _: TopicPartition) -> Result<((), Option<i64>), Never> {
        Ok(((), Some(0)))
    }

    async fn transform(&self, (): &mut (), records: Vec<Record>) -> Result<u64, Never> {
        Ok(records.len() as u64)
    }

    async fn store(&self, block: u64) -> Result<(), Never> {
        if !self.store.is_zero() {
            tokio::time::sleep(self.store).await;
        }
        if self.stored.fetch_add(block, Ordering::Relaxed) + block >= self.wanted {
            self.done.cancel();
        }
        Ok(())
    }
}
