"""The real services as child processes: Apache Kafka, and ClickHouse (chDB) behind its native protocol."""
