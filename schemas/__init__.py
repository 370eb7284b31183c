"""The words: Avro schemas, typed records, the codec and the topic contract."""
