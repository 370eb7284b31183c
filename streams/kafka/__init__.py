"""Clients of Kafka: transactional producer, log reader, fetcher of record batches, and what they share."""
