"""The outbox: encodes the events of a request as records and waits until Kafka has confirmed them."""
