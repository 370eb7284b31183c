"""Benchmarks: contenders on one topic, on one machine, in one run; and the product's parts alone."""
