//! The schema of the tables that every app shares.

use crate::Migration;

pub(crate) mod conditions;

/// Under this name the shared tables stand in `schema_migrations`.
pub(crate) const COMPONENT: &str = "storage";

/// No table has a partition key: one insert of one block is then one part, and so atomic.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "dead letters",
        sql: "
CREATE TABLE IF NOT EXISTS dead_letters (
    topic LowCardinality(String),
    `partition` Int32,
    `offset` Int64,
    event_time Nullable(DateTime64(3, 'UTC')),
    record_time Nullable(DateTime64(3, 'UTC')),
    stage LowCardinality(String),
    error String,
    payload String CODEC(ZSTD(1)),
    key Nullable(String),
    headers Array(Tuple(String, String)),
    inserted_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (topic, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000;",
    },
    Migration {
        version: 2,
        name: "alert transitions",
        sql: "
CREATE TABLE IF NOT EXISTS alert_transitions (
    alert_id String,
    state LowCardinality(String),
    rule LowCardinality(String),
    scope LowCardinality(String),
    entity LowCardinality(String),
    severity LowCardinality(String),
    at DateTime64(3, 'UTC'),
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    value Float64,
    threshold Float64,
    expected Nullable(Float64),
    evidence String CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (rule, entity, alert_id, state)
SETTINGS non_replicated_deduplication_window = 10000;",
    },
    Migration {
        version: 3,
        name: "alert progress",
        // Merges keep the highest sequence of each evaluator and so prune the older snapshots.
        sql: "
CREATE TABLE IF NOT EXISTS alert_progress (
    evaluator LowCardinality(String),
    sequence UInt64,
    watermark DateTime64(3, 'UTC'),
    snapshot String CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(sequence)
ORDER BY evaluator
SETTINGS non_replicated_deduplication_window = 1000;",
    },
    Migration {
        version: 4,
        name: "training metrics",
        // A run that goes on from a checkpoint takes some steps again: the later figures stay, which are the same.
        sql: "
CREATE TABLE IF NOT EXISTS training_metrics (
    model LowCardinality(String),
    seed UInt64,
    started DateTime64(3, 'UTC'),
    metric LowCardinality(String),
    step UInt64,
    epoch UInt32,
    value Float64,
    at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(at)
ORDER BY (model, started, seed, metric, step)
SETTINGS non_replicated_deduplication_window = 10000;",
    },
];
