"""The connection to a Kafka cluster: brokers, TLS and login, as one value for every client library."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Connection", "Login", "Tls"]


@dataclass(frozen=True, slots=True)
class Tls:
    """
    TLS of a connection, by the paths of PEM files.

    Without ``ca_file`` the authorities of the system are trusted; with a certificate and its key the client
    proves who it is.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password of a connection; ``mechanism`` is SASL's name of how they are shown."""

    mechanism: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """
    The way to a Kafka cluster, which every client of it is made with.

    ``bootstrap`` is ``host:port`` of brokers, with commas between; the text of a connection is that. Neither
    that text nor ``repr`` has a secret.
    """

    bootstrap: str
    tls: Tls | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def security_protocol(self) -> str:
        """The connection's kind, by the names that ``security.protocol`` has."""
        kind = "PLAINTEXT" if self.tls is None else "SSL"
        return kind if self.login is None else f"SASL_{kind}"

    def librdkafka(self) -> dict[str, str]:
        """
        Return the settings with which a client of librdkafka connects, secrets among them.

        https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
        """
        settings = {"bootstrap.servers": self.bootstrap, "security.protocol": self.security_protocol}
        if self.login is not None:
            settings |= {
                "sasl.mechanism": self.login.mechanism,
                "sasl.username": self.login.username,
                "sasl.password": self.login.password,
            }
        if self.tls is not None:
            files = {
                "ssl.ca.location": self.tls.ca_file,
                "ssl.certificate.location": self.tls.certificate_file,
                "ssl.key.location": self.tls.key_file,
                "ssl.key.password": self.tls.key_password,
            }
            settings |= {key: value for key, value in files.items() if value is not None}
        return settings
