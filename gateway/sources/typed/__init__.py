"""Typed JSON: the events of any input topic without a vendor's format."""
