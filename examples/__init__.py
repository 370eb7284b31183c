"""Examples that run: each prints a session that a page of the documentation shows, and a test runs it."""
