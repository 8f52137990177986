//! Where to start reading an assigned partition.

use std::time::Duration;

use foundation::Failure as _;
use foundation::backoff::Backoff;
use tokio::time::sleep;

use super::config::Start;
use crate::context::Outage;
use crate::error::StreamingError;
use crate::offsets::{Offsets, Watermarks};
use crate::processor::PartitionProcessor;
use crate::record::TopicPartition;

/// The processor's state of a partition and where it resumes; waits for a store that is down.
pub(crate) async fn assign<P: PartitionProcessor>(
    processor: &P,
    partition: &TopicPartition,
) -> Result<(P::Partition, Option<i64>), StreamingError> {
    let outage = Outage::of(format!("the store, which says where {partition} resumes"));
    let mut backoff = backoff();
    loop {
        match processor.assign(partition.clone()).await {
            Ok(assigned) => {
                outage.over();
                return Ok(assigned);
            }
            Err(error) if error.is_retryable() => {
                outage.warn(&error);
                sleep(backoff.next_delay()).await;
            }
            Err(error) => return Err(StreamingError::processing(partition, -1, "assign", error)),
        }
    }
}

/// The absolute offset to start from; waits for brokers that are down.
pub(crate) async fn resolve(
    offsets: &Offsets,
    partition: &TopicPartition,
    resume: Option<i64>,
    start: Start,
) -> Result<i64, StreamingError> {
    let mut backoff = backoff();
    loop {
        match ask(offsets, partition, resume.is_none()).await {
            Ok((ends, committed)) => return decide(partition, ends, resume, committed, start),
            Err(error) if error.is_retryable() => sleep(backoff.next_delay()).await,
            Err(error) => return Err(error),
        }
    }
}

async fn ask(
    offsets: &Offsets,
    partition: &TopicPartition,
    with_committed: bool,
) -> Result<(Watermarks, Option<i64>), StreamingError> {
    let ends = offsets.watermarks(partition).await?;
    let committed = match with_committed {
        true => offsets.committed(std::slice::from_ref(partition)).await?.remove(partition),
        false => None,
    };
    Ok((ends, committed))
}

fn decide(
    partition: &TopicPartition,
    ends: Watermarks,
    resume: Option<i64>,
    committed: Option<i64>,
    start: Start,
) -> Result<i64, StreamingError> {
    let Watermarks { low, high } = ends;
    match (resume, committed) {
        (Some(resume), _) if resume > high => {
            Err(StreamingError::Recreated { partition: partition.clone(), resume, end: high })
        }
        (Some(resume), _) => {
            if resume < low && resume > 0 {
                tracing::warn!(
                    "{partition}: Kafka has deleted the {} messages from offset {resume} to {low} before they were read; \
                     keep them longer (retention.ms) or add consumers",
                    low - resume
                );
            }
            Ok(resume.max(low))
        }
        // A commit outside the partition is what a topic of the same name has left behind.
        (None, Some(committed)) if (low..=high).contains(&committed) => Ok(committed),
        (None, _) if start == Start::Latest => Ok(high),
        (None, _) => Ok(low),
    }
}

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(250), Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resume: Option<i64>, committed: Option<i64>, start: Start, expected: Option<i64>) {
        let ends = Watermarks { low: 10, high: 100 };
        let found = decide(&TopicPartition::new("news", 3), ends, resume, committed, start);
        assert_eq!(found.ok(), expected, "{resume:?} {committed:?} {start:?}");
    }

    #[test]
    fn the_store_wins_over_kafka_and_kafka_over_the_configuration() {
        check(Some(50), Some(70), Start::Latest, Some(50));
        check(Some(100), Some(70), Start::Latest, Some(100));
        check(Some(3), Some(70), Start::Latest, Some(10));
        check(None, Some(70), Start::Latest, Some(70));
        check(None, Some(3), Start::Latest, Some(100));
        check(None, Some(101), Start::Earliest, Some(10));
        check(None, None, Start::Latest, Some(100));
        check(None, None, Start::Earliest, Some(10));
    }

    #[test]
    fn a_topic_that_is_shorter_than_its_stored_rows_is_an_error_that_says_how_to_mend() {
        let ends = Watermarks { low: 0, high: 5 };
        let error = decide(&TopicPartition::new("news", 3), ends, Some(6), None, Start::Earliest).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("news[3]") && text.contains("delete the stored rows"), "{text}");
    }
}
