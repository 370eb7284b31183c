"""ASGI middleware of all routes: CORS, spellings of paths, the way to plain routes, and request metrics."""
