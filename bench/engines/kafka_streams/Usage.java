package bench.engines.kafka_streams;

/** What is counted of a usage event; times in milliseconds. */
record Usage(long occurredAt, long duration) {}
