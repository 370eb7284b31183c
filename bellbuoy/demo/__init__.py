"""The demo: the whole stack, a simulated company, and the riskiest of its customers on the screen."""
