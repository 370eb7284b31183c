"""Commands about what comes in: senders' keys, sources, events, files of history and dead letters."""
