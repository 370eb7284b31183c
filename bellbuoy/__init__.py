"""The command: CLI, settings, embedded stack, simulator; the only place that knows everything."""
