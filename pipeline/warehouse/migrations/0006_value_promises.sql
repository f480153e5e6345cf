-- Promises of figures: at most, at least, exactly, within a range. Numbers are in the promise's own unit.

CREATE TABLE IF NOT EXISTS value_promises
(
    made_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Time of the touchpoint that made it',
    finding_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    rule LowCardinality(String),
    kind LowCardinality(String) COMMENT 'at_most, at_least, equals, range',
    status LowCardinality(String),
    severity LowCardinality(String),
    person_id UUID CODEC(ZSTD(1)),
    journey_id String CODEC(ZSTD(1)),
    journey_type LowCardinality(String),
    journey_key String CODEC(ZSTD(1)),
    made_by LowCardinality(String) COMMENT 'Type of the touchpoint that made it',
    owed_by LowCardinality(String),
    per String CODEC(ZSTD(1)) COMMENT 'What tells it from others of its rule',
    campaign LowCardinality(String),
    agent LowCardinality(String),
    team LowCardinality(String),
    channel LowCardinality(String),
    persona LowCardinality(String),
    product LowCardinality(String),
    region LowCardinality(String),
    basis LowCardinality(String) COMMENT 'Whose word the figure is: touchpoint, map, habit',
    measured LowCardinality(String) COMMENT 'What is made of the observations',
    unit LowCardinality(String),
    promised_from Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'Equals promised_to but in a range',
    promised_to Nullable(Float64) CODEC(ZSTD(1)),
    tolerance Float64 CODEC(ZSTD(1)) COMMENT 'Share that may be missed',
    observed Nullable(Float64) CODEC(ZSTD(1)),
    observations UInt32 CODEC(T64, ZSTD(1)),
    gap Nullable(Float64) CODEC(ZSTD(1)) COMMENT '(observed - promised) / promised; positive is worse',
    started_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'When the measured duration began',
    observed_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    closes_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'The last instant that is measured',
    closed_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    evidence Array(String) CODEC(ZSTD(1)),
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1,
    CONSTRAINT made_since_1970 CHECK made_at >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(made_at)
PRIMARY KEY made_at
ORDER BY (made_at, finding_id)
COMMENT 'The last revision of each promise of a figure';
