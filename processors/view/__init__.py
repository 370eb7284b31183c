"""
View of an account at one time: what its state says, with lost days filled in, each computed once.

Measures, conditions of models and alert rules, and timers read accounts through it.
"""

from __future__ import annotations

from processors.view.view import NOTHING_LOST, LostDays, View

__all__ = ["NOTHING_LOST", "LostDays", "View"]
