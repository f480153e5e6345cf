-- The promise ledger: revisions, clocks, parts, warnings and escalation of promises, and of stalls what they have of it.
-- `docs/adr/0012-the-ledger-and-its-clock.md` says what they mean.

ALTER TABLE promises
    ADD COLUMN IF NOT EXISTS calendar LowCardinality(String) COMMENT 'On which the due time was counted, if any' AFTER owed_by,
    ADD COLUMN IF NOT EXISTS per String CODEC(ZSTD(1)) COMMENT 'What tells it from others of its rule' AFTER calendar,
    ADD COLUMN IF NOT EXISTS campaign LowCardinality(String) AFTER per,
    ADD COLUMN IF NOT EXISTS agent LowCardinality(String) AFTER campaign,
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) AFTER agent,
    ADD COLUMN IF NOT EXISTS channel LowCardinality(String) AFTER team,
    ADD COLUMN IF NOT EXISTS persona LowCardinality(String) AFTER channel,
    ADD COLUMN IF NOT EXISTS product LowCardinality(String) AFTER persona,
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) AFTER product,
    ADD COLUMN IF NOT EXISTS revisions UInt32 CODEC(T64, ZSTD(1)) COMMENT 'How often another due time was told' AFTER at_risk_at,
    ADD COLUMN IF NOT EXISTS first_due_at DateTime64(6, 'UTC') DEFAULT due_at CODEC(Delta, ZSTD(1)) AFTER revisions,
    ADD COLUMN IF NOT EXISTS latest_due_at DateTime64(6, 'UTC') DEFAULT due_at CODEC(Delta, ZSTD(1)) COMMENT 'Told in time' AFTER first_due_at,
    ADD COLUMN IF NOT EXISTS best_due_at DateTime64(6, 'UTC') DEFAULT due_at CODEC(Delta, ZSTD(1)) COMMENT 'The earliest told in time' AFTER latest_due_at,
    ADD COLUMN IF NOT EXISTS started_at DateTime64(6, 'UTC') DEFAULT made_at CODEC(Delta, ZSTD(1)) COMMENT 'Of its clock' AFTER best_due_at,
    ADD COLUMN IF NOT EXISTS paused_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'Since when its clock stands still' AFTER started_at,
    ADD COLUMN IF NOT EXISTS paused_seconds Float64 CODEC(ZSTD(1)) COMMENT 'Time on the wall' AFTER paused_at,
    ADD COLUMN IF NOT EXISTS target_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'Of its clock; open time if there is a calendar' AFTER paused_seconds,
    ADD COLUMN IF NOT EXISTS spent_seconds Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'Of the target when it was settled' AFTER target_seconds,
    ADD COLUMN IF NOT EXISTS resets UInt32 CODEC(T64, ZSTD(1)) AFTER spent_seconds,
    ADD COLUMN IF NOT EXISTS warned UInt8 CODEC(T64, ZSTD(1)) COMMENT 'Warnings that have passed' AFTER resets,
    ADD COLUMN IF NOT EXISTS skipped UInt8 CODEC(T64, ZSTD(1)) COMMENT 'Warnings whose moment was past at the making' AFTER warned,
    ADD COLUMN IF NOT EXISTS escalated UInt8 CODEC(T64, ZSTD(1)) COMMENT 'Steps taken' AFTER skipped,
    ADD COLUMN IF NOT EXISTS escalated_to LowCardinality(String) COMMENT 'The team of the last step' AFTER escalated,
    ADD COLUMN IF NOT EXISTS parts_needed Float64 DEFAULT 1 CODEC(ZSTD(1)) AFTER escalated_to,
    ADD COLUMN IF NOT EXISTS parts_brought Float64 CODEC(ZSTD(1)) COMMENT '0 where it is not met in parts' AFTER parts_needed;

ALTER TABLE stalls
    ADD COLUMN IF NOT EXISTS calendar LowCardinality(String) COMMENT 'On which the limit was counted, if any' AFTER owner,
    ADD COLUMN IF NOT EXISTS campaign LowCardinality(String) AFTER calendar,
    ADD COLUMN IF NOT EXISTS agent LowCardinality(String) AFTER campaign,
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) AFTER agent,
    ADD COLUMN IF NOT EXISTS channel LowCardinality(String) AFTER team,
    ADD COLUMN IF NOT EXISTS persona LowCardinality(String) AFTER channel,
    ADD COLUMN IF NOT EXISTS product LowCardinality(String) AFTER persona,
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) AFTER product,
    ADD COLUMN IF NOT EXISTS paused_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) AFTER limit_kind,
    ADD COLUMN IF NOT EXISTS paused_seconds Float64 CODEC(ZSTD(1)) AFTER paused_at,
    ADD COLUMN IF NOT EXISTS resets UInt32 CODEC(T64, ZSTD(1)) AFTER paused_seconds,
    ADD COLUMN IF NOT EXISTS warned UInt8 CODEC(T64, ZSTD(1)) AFTER resets,
    ADD COLUMN IF NOT EXISTS skipped UInt8 CODEC(T64, ZSTD(1)) AFTER warned,
    ADD COLUMN IF NOT EXISTS escalated UInt8 CODEC(T64, ZSTD(1)) AFTER skipped,
    ADD COLUMN IF NOT EXISTS escalated_to LowCardinality(String) AFTER escalated;

-- Each promise with what each of three judges says of it: by the first due time that was told, the latest, and the best. One that
-- was not met is broken for a judge whose due time has passed; a paused clock makes nobody late.
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
