"""What all stages agree on: Avro schemas, typed records, topics, keys, and the codec to bytes and back."""
