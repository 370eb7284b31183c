"""The hands: one module a destination, one port."""
