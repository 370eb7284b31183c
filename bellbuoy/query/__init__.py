"""The read side that CLI and console share: accounts, their history and portfolios."""
