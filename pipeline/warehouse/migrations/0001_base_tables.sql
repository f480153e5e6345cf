-- The base tables. Each is a ReplacingMergeTree whose sorting and partition keys never change for a row, so that a
-- block that is inserted again, or a newer version of a row, replaces what was there. `docs/warehouse.md` says why.
-- Read them with FINAL, or through the views of 0002.

CREATE TABLE IF NOT EXISTS touchpoints
(
    time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    source LowCardinality(String),
    id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    domain LowCardinality(String),
    owner LowCardinality(String) COMMENT 'The team that owns the type; empty when unmapped',
    mapped Bool,
    late Bool COMMENT 'Behind the watermark when it was applied: as known at that moment',
    subject String CODEC(ZSTD(1)) COMMENT 'Empty when absent',
    outcome LowCardinality(String) COMMENT 'success, failure, or empty when absent',
    person_id UUID CODEC(ZSTD(1)) COMMENT 'As published; see touchpoints_resolved',
    identifier String CODEC(ZSTD(1)) COMMENT 'Token of the identifier that attributed it to its person',
    identities Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    data String CODEC(ZSTD(3)) COMMENT 'JSON',
    journey_ids Array(String) CODEC(ZSTD(1)),
    stages Array(LowCardinality(String)) COMMENT 'That its journeys are in after it',
    stages_entered Array(LowCardinality(String)) COMMENT 'By it',
    stages_left Array(LowCardinality(String)) COMMENT 'By it',
    version UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'Place in the topic: offset * 1024 + partition',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_identity mapValues(identities) TYPE bloom_filter(0.01) GRANULARITY 1,
    CONSTRAINT time_since_1970 CHECK time >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
PRIMARY KEY time
ORDER BY (time, source, id)
-- Column by column, a merge costs a third of what it costs row by row; the default waits for 131,072 rows.
SETTINGS vertical_merge_algorithm_min_rows_to_activate = 10000;

CREATE TABLE IF NOT EXISTS findings
(
    opened_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When the conclusion began to hold',
    finding_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    type LowCardinality(String),
    rule LowCardinality(String),
    status LowCardinality(String),
    person_id UUID CODEC(ZSTD(1)),
    journey_id String CODEC(ZSTD(1)),
    detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    record String CODEC(ZSTD(1)) COMMENT 'The whole finding as published, JSON',
    version UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'Place in the topic: offset * 1024 + partition',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_id finding_id TYPE bloom_filter(0.01) GRANULARITY 1,
    CONSTRAINT opened_since_1970 CHECK opened_at >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_at)
PRIMARY KEY opened_at
ORDER BY (opened_at, finding_id, revision)
COMMENT 'Every revision of every finding: the audit log';

CREATE TABLE IF NOT EXISTS promises
(
    made_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Time of the touchpoint that made it',
    finding_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    rule LowCardinality(String),
    kind LowCardinality(String),
    status LowCardinality(String),
    severity LowCardinality(String),
    person_id UUID CODEC(ZSTD(1)),
    journey_id String CODEC(ZSTD(1)),
    journey_type LowCardinality(String),
    journey_key String CODEC(ZSTD(1)),
    made_by LowCardinality(String) COMMENT 'Type of the touchpoint that made it',
    owed_by LowCardinality(String),
    due_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    at_risk_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    met_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    gap_hours Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'How late it was met; negative: early',
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
COMMENT 'The last revision of each promise';

CREATE TABLE IF NOT EXISTS stalls
(
    entered_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Time of the touchpoint that entered the stage',
    finding_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    stage LowCardinality(String),
    status LowCardinality(String),
    severity LowCardinality(String),
    owner LowCardinality(String),
    person_id UUID CODEC(ZSTD(1)),
    journey_id String CODEC(ZSTD(1)),
    journey_type LowCardinality(String),
    journey_key String CODEC(ZSTD(1)),
    since DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'entered_at plus the limit',
    limit_seconds Float64 CODEC(ZSTD(1)),
    limit_kind LowCardinality(String),
    left_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    evidence Array(String) CODEC(ZSTD(1)),
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1,
    CONSTRAINT entered_since_1970 CHECK entered_at >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(entered_at)
PRIMARY KEY entered_at
ORDER BY (entered_at, finding_id)
COMMENT 'The last revision of each stall';

CREATE TABLE IF NOT EXISTS journeys
(
    journey_id String CODEC(ZSTD(1)),
    version UInt64 CODEC(T64, ZSTD(1)),
    journey_type LowCardinality(String),
    journey_key String CODEC(ZSTD(1)),
    person_id UUID CODEC(ZSTD(1)),
    status LowCardinality(String),
    opened_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'May move: a late touchpoint can come first',
    ended_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    last_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    touchpoints UInt32 CODEC(T64, ZSTD(1)),
    stages Nested(stage LowCardinality(String), entered_at DateTime64(6, 'UTC')) COMMENT 'The stages it is in',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY journey_id;

CREATE TABLE IF NOT EXISTS persons
(
    person_id UUID CODEC(ZSTD(1)),
    version UInt64 CODEC(T64, ZSTD(1)),
    touchpoints UInt32 CODEC(T64, ZSTD(1)) COMMENT 'None: everything of it has moved to another person',
    first_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    last_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)),
    identifiers Array(String) CODEC(ZSTD(1)) COMMENT 'Tokens',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY person_id;

CREATE TABLE IF NOT EXISTS person_overrides
(
    born_person_id UUID CODEC(ZSTD(1)),
    identifier String CODEC(ZSTD(1)),
    person_id UUID CODEC(ZSTD(1)),
    version UInt64 CODEC(T64, ZSTD(1)),
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (born_person_id, identifier)
COMMENT 'Touchpoints published under (born_person_id, identifier) now belong to person_id';

CREATE TABLE IF NOT EXISTS stage_counts
(
    stage LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    name LowCardinality(String) COMMENT 'duplicates, late, clashes, …',
    count UInt64 CODEC(T64, ZSTD(1)) COMMENT 'Since the pipeline began',
    version UInt64 CODEC(T64, ZSTD(1)),
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (stage, partition, name)
COMMENT 'What each partition of a stage has counted';

CREATE TABLE IF NOT EXISTS dead_letters
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Kafka timestamp of the refused record',
    topic LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    stage LowCardinality(String),
    code LowCardinality(String),
    path String CODEC(ZSTD(1)),
    message String CODEC(ZSTD(1)),
    key String CODEC(ZSTD(1)),
    value String CODEC(ZSTD(3)) COMMENT 'The first 16 KiB of the record; all of it is in the topic',
    bytes UInt32 CODEC(T64, ZSTD(1)) COMMENT 'Size of the whole record',
    version UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'Place in the topic: offset * 1024 + partition',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
PRIMARY KEY time
ORDER BY (time, topic, partition, offset, stage);
