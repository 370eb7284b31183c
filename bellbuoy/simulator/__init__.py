"""A simulated company: seeded generation, its wire shapes, its own clock, and the truth about it."""
