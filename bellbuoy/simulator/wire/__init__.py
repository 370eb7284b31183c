"""Simulated events on the wire: vendors' JSON over HTTP, or Avro straight to Kafka."""
