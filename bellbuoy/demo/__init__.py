"""The demo: the whole stack, a simulated company, and its riskiest customers on the screen."""
