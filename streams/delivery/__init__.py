"""The delivery stage: one consumer group a sink."""
