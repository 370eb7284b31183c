"""The connection to a Kafka cluster in the terms of aiokafka, and of Faust, which uses it."""

from __future__ import annotations

import ssl
from typing import Any

from schemas.connection import Connection, Tls

__all__ = ["aiokafka_options", "ssl_context"]


def aiokafka_options(connection: Connection) -> dict[str, Any]:
    """Return the arguments with which a client of aiokafka connects; raise as ``ssl_context`` does."""
    options: dict[str, Any] = {
        "bootstrap_servers": connection.bootstrap,
        "security_protocol": connection.security_protocol,
    }
    if connection.tls is not None:
        options["ssl_context"] = ssl_context(connection.tls)
    if (login := connection.login) is not None:
        options |= {
            "sasl_mechanism": login.mechanism,
            "sasl_plain_username": login.username,
            "sasl_plain_password": login.password,
        }
    return options


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """
    Return the context that checks brokers' certificates, and their names, and shows the client's own.

    Raises ssl.SSLError for a file that is no PEM, a key that isn't the certificate's or a wrong password of
    the key, and OSError for a file that can't be read.
    """
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.certificate_file is not None:
        # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(tls.certificate_file, tls.key_file, tls.key_password or "")
    return context
