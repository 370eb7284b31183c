"""Fit of the default model to worlds: what was known of their accounts, and the search for its numbers."""
