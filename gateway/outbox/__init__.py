"""The outbox: from a request's events to records that Kafka has confirmed."""
