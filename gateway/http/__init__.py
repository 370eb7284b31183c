"""HTTP for all sources: authentication, bodies, JSON errors, request metrics, concurrency limit."""
