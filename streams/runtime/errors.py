"""Errors that end a role."""

__all__ = ["DeliveryError"]


class DeliveryError(Exception):
    """
    Delivery can't go on. Nothing is lost: started again, it continues where it stopped.

    Operator action: do what the message says, then start ``bellbuoy deliver`` again.
    """
