"""HTTP for all sources: connections, paths, CORS, keys, bodies, JSON decoding, times, errors and limits."""
