"""Back-pressure from worker to journal: the worker's progress and its credits for new batches."""
