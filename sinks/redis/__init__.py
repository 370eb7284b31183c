"""The Redis sink: key layout, versioned writes by script, reader, settings."""
