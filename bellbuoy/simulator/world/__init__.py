"""The simulated world: customers with hidden states, the events they cause, and the exact totals."""
