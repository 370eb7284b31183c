"""Faults of data. Everything here is the record's fault, never the world's or the operator's."""

__all__ = ["EnvelopeTooLargeError", "SchemaError", "UndecodableError", "UnknownSchemaError"]


class SchemaError(ValueError):
    """A record does not fit its schema."""


class UndecodableError(SchemaError):
    """The bytes are not what their schema id says they are."""


class UnknownSchemaError(SchemaError):
    """The bytes name a schema id that the registry does not know."""


class EnvelopeTooLargeError(SchemaError):
    """An envelope holds more events than one may."""
