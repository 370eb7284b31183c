"""The thinking: pure functions of values. No Kafka, no clock, no randomness, no I/O, no logging."""
