"""The worker stage: the Faust app that folds the journal into account states."""
