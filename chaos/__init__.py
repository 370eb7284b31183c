"""Chaos test: breaks the stack by a seeded schedule; compares its final state with an undisturbed run's."""
