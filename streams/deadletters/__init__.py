"""Dead letters on Kafka: their producer, their reader, and the redrive of repaired ones."""
