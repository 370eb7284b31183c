"""Writers of what people change while everything runs: models, rules, policies, overrides, deletions."""
