"""Erasure of a subject, an account or a person: from states, topics, sinks and the lake, with a report."""
