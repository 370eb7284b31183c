"""The worker stage: a Faust app that folds the journal into account states."""
