"""The Kafka of a deployment: its topics, its registry, positions and time, and records written to it."""
