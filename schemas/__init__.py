"""The contracts that all stages share: Avro schemas, typed records, topics, keys, and the codec to bytes and back."""
