//! The seam between a source of records and an app.

use std::future::Future;

use foundation::Failure;

use crate::record::{Record, TopicPartition};

/// What an app does with an assigned partition.
///
/// Blocks of one partition are transformed and stored strictly in order; block k+1 may be transformed while block k is
/// being stored. Ok from [`store`](Self::store) means durable: then the offset is committed. Errors end the consumer, so
/// an implementation waits out what passes by itself (a store that is down) and makes dead letters of malformed records.
///
/// When a partition is taken away, `assign` may be dropped half-way; a `transform` or `store` that has begun is waited
/// for, and dropped only when the drain deadline passes. What was not stored by then is read again by the next owner.
pub trait PartitionProcessor: Send + Sync + 'static {
    /// State of one assigned partition, built anew on each assignment.
    type Partition: Send + 'static;
    /// A transformed block, ready to be stored.
    type Block: Send + 'static;
    /// What fails for good.
    type Error: Failure + Send + Sync + 'static;

    /// Called on assignment: the partition's state and the offset to resume from (None: the group's committed offset,
    /// else the configured start). A retryable error is tried again, with a warning each few seconds.
    fn assign(
        &self,
        partition: TopicPartition,
    ) -> impl Future<Output = Result<(Self::Partition, Option<i64>), Self::Error>> + Send;

    /// Turns one block of records, contiguous in their partition and never empty, into what `store` takes.
    fn transform(
        &self,
        state: &mut Self::Partition,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<Self::Block, Self::Error>> + Send;

    /// Makes a block durable.
    fn store(&self, block: Self::Block) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
