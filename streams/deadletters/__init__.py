"""Dead letters on Kafka: their producer, their reader, and the redriver of repaired ones."""
