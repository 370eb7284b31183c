"""Worlds with known truth: customers who leave for a known cause, to measure health models against."""
