"""Sources that are asked: each reads what changed at a vendor since a cursor, page by page."""
