"""Repair and redrive of dead letters."""
