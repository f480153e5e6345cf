-- Who is one person with whom, and why: what the linker tells.

CREATE TABLE IF NOT EXISTS identity_links
(
    one String CODEC(ZSTD(1)) COMMENT 'Token; the lesser of the two',
    other String CODEC(ZSTD(1)) COMMENT 'Token',
    version UInt64 CODEC(T64, ZSTD(1)),
    status LowCardinality(String) COMMENT 'joined, refused or unlinked',
    rule LowCardinality(String) COMMENT 'By which it was refused: unique, full, unlinked, shared; empty otherwise',
    linked_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'Time of the first touchpoint that links them',
    linked_source LowCardinality(String),
    linked_id String CODEC(ZSTD(1)),
    said_at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'When somebody last spoke of them by name',
    said_source LowCardinality(String),
    said_id String CODEC(ZSTD(1)),
    said_one Nullable(Bool) COMMENT 'What was said then: whether they are one person',
    persons Array(UUID) CODEC(ZSTD(1)) COMMENT 'Whose the two were at that moment',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_other other TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (one, other, version)
COMMENT 'Everything that was told of every link: the audit log';

CREATE TABLE IF NOT EXISTS identifiers
(
    identifier String CODEC(ZSTD(1)) COMMENT 'Token',
    version UInt64 CODEC(T64, ZSTD(1)),
    person_id UUID CODEC(ZSTD(1)),
    named_by String CODEC(ZSTD(1)) COMMENT 'Token of the identifier that names the person',
    shared Bool COMMENT 'By strangers: it joins nobody',
    ingested_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX by_person person_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY identifier
COMMENT 'Whose each personal identifier is that was ever linked';

-- Each link as it stands.
CREATE VIEW IF NOT EXISTS links AS
SELECT * FROM identity_links FINAL ORDER BY one, other, version DESC LIMIT 1 BY one, other;
