"""Redis sink: key layout, versioned writes by a script, reader, settings."""
