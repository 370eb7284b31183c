"""Sinks and channels of a deployment: how far each is, filled again, and compared with Kafka."""
