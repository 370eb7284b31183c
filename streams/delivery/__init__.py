"""Delivery stage: writes outputs to sinks, each sink through a consumer group of its own."""
