"""The owners' stage: what an owner is told of alerts, when, and in which message."""
