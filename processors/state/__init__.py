"""The state of one account, its parts, its bytes, and a partition's position beside it."""
