"""The journal stage: the inputs of a partition into one ordered, exact, packed log."""
