"""The runtime of every stage: health endpoints, garbage collection, latency, and errors that end a role."""
