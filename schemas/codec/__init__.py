"""Codec between records and bytes: Confluent framing, Avro, the schema registry, and caches."""
