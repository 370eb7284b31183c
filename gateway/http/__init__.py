"""HTTP for all sources: write keys, bodies, JSON decoding, errors, request metrics, concurrency limit."""
