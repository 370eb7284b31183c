"""The simulated world: customers, their hidden state, their events, and the truth about them."""
