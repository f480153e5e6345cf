-- Aggregates: one row per bucket and group, recomputed from the base when a bucket was touched. A group that
-- vanished is written as zero. Read them with FINAL.

CREATE TABLE IF NOT EXISTS touchpoints_hourly
(
    hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    domain LowCardinality(String),
    type LowCardinality(String),
    owner LowCardinality(String),
    mapped Bool,
    touchpoints UInt64 CODEC(T64, ZSTD(1)),
    failures UInt64 CODEC(T64, ZSTD(1)) COMMENT 'Whose outcome is failure',
    version UInt64 CODEC(T64, ZSTD(1)) COMMENT 'See pipeline/warehouse/buckets.py'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, domain, type, owner, mapped);

CREATE TABLE IF NOT EXISTS promises_daily
(
    day DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'On which the promise was made',
    rule LowCardinality(String),
    journey_type LowCardinality(String),
    owed_by LowCardinality(String),
    made_by LowCardinality(String),
    status LowCardinality(String),
    promises UInt64 CODEC(T64, ZSTD(1)),
    met UInt64 CODEC(T64, ZSTD(1)) COMMENT 'In time or not',
    late_hours Float64 CODEC(ZSTD(1)) COMMENT 'Sum over those met late',
    version UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (day, rule, journey_type, owed_by, made_by, status);

CREATE TABLE IF NOT EXISTS stalls_daily
(
    day DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'On which the stage was entered',
    stage LowCardinality(String),
    journey_type LowCardinality(String),
    owner LowCardinality(String),
    status LowCardinality(String),
    stalls UInt64 CODEC(T64, ZSTD(1)),
    ended UInt64 CODEC(T64, ZSTD(1)) COMMENT 'Whose visit has ended',
    dwell_seconds Float64 CODEC(ZSTD(1)) COMMENT 'Sum over the ended visits, entry to exit',
    stuck_seconds Float64 CODEC(ZSTD(1)) COMMENT 'Sum over the ended visits, beyond the limit',
    version UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (day, stage, journey_type, owner, status);

-- Every touchpoint once, with the person that it belongs to today.
CREATE VIEW IF NOT EXISTS touchpoints_resolved AS
SELECT
    base.* REPLACE (if(moved.identifier = '', base.person_id, moved.person_id) AS person_id),
    base.person_id AS born_person_id
FROM (SELECT * FROM touchpoints FINAL) AS base
LEFT ANY JOIN (SELECT born_person_id, identifier, person_id FROM person_overrides FINAL) AS moved
ON base.person_id = moved.born_person_id AND base.identifier = moved.identifier;

-- Persons who have a touchpoint: one that was merged away has none.
CREATE VIEW IF NOT EXISTS living_persons AS
SELECT * FROM persons FINAL WHERE touchpoints > 0;
