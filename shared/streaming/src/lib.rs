//! Kafka topics and files as blocks of records, and what surrounds them: dead letters, feeds, lag, leader election.
//!
//! An app implements [`PartitionProcessor`]; [`consume`] drives it from a consumer group and [`file::process`] from a
//! file. Within one partition, blocks are transformed and stored strictly in order, and an offset is committed only
//! after its block is durable.

pub mod connection;
pub mod consumer;
mod context;
pub mod dead_letter;
pub mod decode;
pub mod error;
pub mod feed;
pub mod file;
mod lane;
pub mod leadership;
pub mod mock;
pub mod offsets;
pub mod processor;
mod producer;
pub mod rate;
pub mod record;
pub mod topic_reader;
pub mod topic_writer;

pub use connection::ConnectionConfig;
pub use consumer::{ConsumerConfig, ConsumerMetrics, consume};
pub use dead_letter::{DeadLetter, DeadLetters};
pub use decode::{DecodeError, Decoder, FieldMapping, Message};
pub use error::StreamingError;
pub use leadership::Leadership;
pub use mock::MockBroker;
pub use offsets::Offsets;
pub use processor::PartitionProcessor;
pub use record::{Record, TopicPartition};
pub use topic_reader::TopicReader;
pub use topic_writer::TopicWriter;
