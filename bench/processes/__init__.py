"""Processes that benchmarks start and measure: a broker, single roles, and a whole deployment."""
