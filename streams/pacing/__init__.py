"""Back-pressure between worker and journal: the worker's progress and its credits for new batches."""
