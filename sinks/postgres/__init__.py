"""Postgres sink: migrations, versioned writes in one transaction a batch, history, settings."""
