-- Which limit a stall outlasted, if it was learned: on how many stays it rests, and between which bounds it lies; and how
-- probable it was that a promise breaks. `docs/adr/0013-learned-limits.md` says what is learned. And when a clock would have run
-- out, had nothing paused it, and when a stall was given up.

ALTER TABLE stalls
    ADD COLUMN IF NOT EXISTS segment LowCardinality(String) COMMENT 'Of which the limit was learned; empty: of all, or declared' AFTER limit_kind,
    ADD COLUMN IF NOT EXISTS limit_ended UInt32 CODEC(T64, ZSTD(1)) COMMENT 'Stays that the limit rests on; 0: declared' AFTER segment,
    ADD COLUMN IF NOT EXISTS limit_low_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'With 95 % confidence' AFTER limit_ended,
    ADD COLUMN IF NOT EXISTS limit_high_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'With 95 % confidence; NULL: unknown' AFTER limit_low_seconds,
    ADD COLUMN IF NOT EXISTS original_since DateTime64(6, 'UTC') DEFAULT since CODEC(Delta, ZSTD(1)) COMMENT 'Had nothing paused its clock' AFTER since,
    ADD COLUMN IF NOT EXISTS abandoned_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'When it was given up; it ends there, whenever it is left' AFTER left_at;

ALTER TABLE promises
    ADD COLUMN IF NOT EXISTS break_probability Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'When it was made, by forecast' AFTER at_risk_at,
    ADD COLUMN IF NOT EXISTS forecast_ended UInt32 CODEC(T64, ZSTD(1)) COMMENT 'Earlier promises that the forecast rests on' AFTER break_probability,
    ADD COLUMN IF NOT EXISTS forecast_segment LowCardinality(String) COMMENT 'Of which it was learned; empty: of all, or not at all' AFTER forecast_ended,
    ADD COLUMN IF NOT EXISTS original_due_at DateTime64(6, 'UTC') DEFAULT due_at CODEC(Delta, ZSTD(1)) COMMENT 'Had nothing paused its clock' AFTER best_due_at;

CREATE TABLE IF NOT EXISTS learned_limits
(
    day Date COMMENT 'UTC: for what begins on it',
    of LowCardinality(String) COMMENT 'stage or promise',
    rule LowCardinality(String),
    segment LowCardinality(String) COMMENT 'Empty: all stays',
    ended UInt32 CODEC(T64, ZSTD(1)) COMMENT 'Stays that it rests on; 0: it turned out to rest on too few',
    limit_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'Of a stage',
    low_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'With 95 % confidence',
    high_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'With 95 % confidence; NULL: unknown',
    percentiles Array(Float64) CODEC(ZSTD(1)) COMMENT 'Within how many seconds 1 %, 2 %, … of all end, as far as is known',
    version UInt64 CODEC(T64, ZSTD(1)),
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (of, rule, segment, day)
COMMENT 'What was learned for each day of how long stays last';

-- What a view takes by `*` are the columns that there were when it was made.
-- dangerous: a view holds nothing
CREATE OR REPLACE VIEW promise_ledger AS
SELECT
    *,
    multiIf(status IN ('cancelled', 'withdrawn'), status, isNotNull(met_at), if(met_at <= first_due_at, 'kept', 'broken'),
        (status = 'broken' AND first_due_at <= due_at) OR (isNull(paused_at) AND first_due_at < detected_at), 'broken',
        'open') AS by_first,
    multiIf(status IN ('cancelled', 'withdrawn'), status, isNotNull(met_at), if(met_at <= latest_due_at, 'kept', 'broken'),
        (status = 'broken' AND latest_due_at <= due_at) OR (isNull(paused_at) AND latest_due_at < detected_at), 'broken',
        'open') AS by_latest,
    multiIf(status IN ('cancelled', 'withdrawn'), status, isNotNull(met_at), if(met_at <= best_due_at, 'kept', 'broken'),
        (status = 'broken' AND best_due_at <= due_at) OR (isNull(paused_at) AND best_due_at < detected_at), 'broken',
        'open') AS by_best
FROM promises FINAL
WHERE status != 'withdrawn';
