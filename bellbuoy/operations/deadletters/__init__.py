"""Repair and redrive of dead letters: records that could not be used, corrected and sent again."""
