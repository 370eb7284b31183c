"""The console: live pages for customer success managers over a serving sink, which write acts to Kafka."""
