"""Simulator of a company's customers: seeded events, wire formats, a simulated clock, exact totals."""
