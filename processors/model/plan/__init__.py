"""The plan of a model: what a score is computed with, such as curves, combinators, caps and bands."""
