"""Records as bytes: Confluent framing, Avro, schema registry, and faster encoders of what repeats."""
