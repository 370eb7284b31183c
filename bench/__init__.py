"""
Benchmarks: contenders on one topic, on one machine, in one run; and the product's parts alone.

A module here is a command, ``python -m bench.NAME``, or what the whole run reports with. ``contenders`` has a
module for each contender, ``engines`` how other engines run, ``processes`` what is started and measured, and
``workload`` what it works on.
"""
