"""Contenders side by side on one topic, one machine, in one run."""
