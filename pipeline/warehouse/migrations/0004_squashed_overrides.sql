-- What a squash writes: the override that is already in a touchpoint's row, and the overrides that a squash under way has
-- taken. `docs/adr/0010-squashed-overrides.md` says why.

ALTER TABLE touchpoints
    ADD COLUMN IF NOT EXISTS moved_to UUID CODEC(ZSTD(1))
        COMMENT 'The person of the override that was squashed into the row; see moved_version' AFTER identifier,
    ADD COLUMN IF NOT EXISTS moved_version UInt64 CODEC(T64, ZSTD(1))
        COMMENT 'The version of that override, 0 for none: only a newer one counts' AFTER moved_to,
    ADD INDEX IF NOT EXISTS by_moved_to moved_to TYPE bloom_filter(0.01) GRANULARITY 1;

-- dangerous: it widens the column and changes no value; a row from before has a smaller version than any that comes
ALTER TABLE touchpoints MODIFY COLUMN version UInt128 CODEC(ZSTD(1))
    COMMENT 'Place in the topic, (offset * 1024 + partition) * 2^64, plus moved_version';

-- dangerous: it writes the index of parts that are there and nothing else
ALTER TABLE touchpoints MATERIALIZE INDEX by_moved_to;

-- A partition a run, so that a run ends by dropping it; what a killed run has left goes after a day. It is no table of a
-- run's own, because ClickHouse takes up a deletion that was interrupted, and the table that it names has to be there.
CREATE TABLE IF NOT EXISTS squashed_overrides
(
    run UUID,
    born_person_id UUID CODEC(ZSTD(1)),
    identifier String CODEC(ZSTD(1)),
    person_id UUID CODEC(ZSTD(1)),
    version UInt64 CODEC(T64, ZSTD(1)),
    taken_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY run
ORDER BY (born_person_id, identifier)
TTL taken_at + INTERVAL 1 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Overrides that a squash under way has taken';

-- One half reads, the other's condition is false: a join costs as much with an empty table, and after a squash it is. The
-- scalar subquery, which stands in it twice, is evaluated once.
-- dangerous: a view holds nothing
CREATE OR REPLACE VIEW touchpoints_resolved AS
SELECT
    base.* EXCEPT (moved_to, moved_version) REPLACE
    (
        if(base.moved_version > 0, base.moved_to, base.person_id) AS person_id
    ),
    base.person_id AS born_person_id
FROM (SELECT * FROM touchpoints FINAL WHERE (SELECT count() FROM person_overrides) = 0) AS base
UNION ALL
SELECT
    base.* EXCEPT (moved_to, moved_version) REPLACE
    (
        multiIf(
            moved.version > base.moved_version, moved.person_id,
            base.moved_version > 0, base.moved_to,
            base.person_id
        ) AS person_id
    ),
    base.person_id AS born_person_id
FROM (SELECT * FROM touchpoints FINAL WHERE (SELECT count() FROM person_overrides) > 0) AS base
LEFT ANY JOIN (SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL) AS moved
ON base.person_id = moved.born_person_id AND base.identifier = moved.identifier;
