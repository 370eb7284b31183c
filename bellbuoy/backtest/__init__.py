"""Backtests: a model held against histories whose end is known, day by day, with nothing later visible."""
