"""The stages of the pipeline on Kafka: journal, worker and delivery, and what they share."""
