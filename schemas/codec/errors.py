"""Exceptions for records that don't fit their schema; none means that a service or a setting is at fault."""

__all__ = ["EnvelopeTooLargeError", "SchemaError", "UndecodableError", "UnknownSchemaError"]


class SchemaError(ValueError):
    """A record does not fit its schema."""


class UndecodableError(SchemaError):
    """The bytes are not a record of the schema whose id they carry."""


class UnknownSchemaError(SchemaError):
    """The bytes carry a schema id that the registry does not know."""


class EnvelopeTooLargeError(SchemaError):
    """An envelope holds more events than are allowed."""
