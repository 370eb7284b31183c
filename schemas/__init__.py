"""The contracts of all stages: Avro schemas, typed records, topics, keys, and the codec to bytes and back."""
