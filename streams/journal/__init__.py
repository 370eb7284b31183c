"""The journal stage: packs the inputs of a partition into one ordered, exact log."""
