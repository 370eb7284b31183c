"""Calibration: weights, curves and band edges of a model, proposed from histories whose end is known."""
