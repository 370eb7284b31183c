"""Compiled decoder and encoder of usage that handle many records at once, as columns."""
