"""Carriers of simulated events: as vendors' JSON to the gateway over HTTP, or as Avro straight to Kafka."""
