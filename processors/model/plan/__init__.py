"""The evaluation plan of a model: its tree of measures with curves, combinators, bands and conditions."""
