CREATE TABLE IF NOT EXISTS sentiment_scores
(
    topic LowCardinality(String) COMMENT 'Kafka topic, or the file of a backtest',
    partition Int32,
    offset Int64,
    id String COMMENT 'the feed''s own id, else topic-partition-offset',
    event_time DateTime64(3, 'UTC') COMMENT 'when the message says that it happened',
    record_time DateTime64(3, 'UTC') COMMENT 'when Kafka took the record',
    scored_at DateTime64(3, 'UTC'),
    source LowCardinality(String),
    entities Array(LowCardinality(String)) COMMENT 'companies named, most relevant first',
    relevance Array(Float32) COMMENT 'relevance of each entity, 0 to 1',
    subject LowCardinality(String) COMMENT 'label of the model''s topic head; empty without one',
    subject_probability Float32,
    positive Float32,
    neutral Float32,
    negative Float32,
    score Float32 COMMENT 'positive - negative, -1 to 1',
    novelty Float32 COMMENT '1 - similarity to the partition''s last 24 hours; 0 is a repeat',
    model LowCardinality(String),
    model_version LowCardinality(String),
    title String CODEC(ZSTD(1)),
    text String CODEC(ZSTD(1)),
    INDEX by_event_time event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000
