"""Merging of accounts: two states into one, and the transfer of a state to another account."""
