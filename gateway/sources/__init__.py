"""Sources: one package a vendor, the webhook endpoint they share, and their registry."""
