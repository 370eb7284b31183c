"""Faults that end a role."""

__all__ = ["DeliveryError"]


class DeliveryError(Exception):
    """
    Delivery can't go on; nothing is lost, and it continues where it was once it is started again.

    Operator action: do what the message says, then start ``bellbuoy deliver`` again.
    """
