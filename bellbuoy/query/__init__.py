"""Queries of accounts, their history and portfolios, for the command line and for a console to show."""
