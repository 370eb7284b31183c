"""Kafka clients: producers, readers of a log's end, record batches as the broker stores them, headers."""
