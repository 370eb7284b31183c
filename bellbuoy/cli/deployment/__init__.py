"""Commands about a deployment: its roles, topics and sinks, and what mends them."""
