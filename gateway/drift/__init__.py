"""Drift of producers: fields that are missing or of another type, and events that stopped."""
