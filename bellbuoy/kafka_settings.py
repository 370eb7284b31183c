"""Settings of the Kafka cluster: how clients connect to it and to its schema registry, and its topics."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.connection import Connection, Login, Tls
from schemas.topics import Topics

__all__ = ["KafkaSettings"]

_LOGIN_KEYS = ("sasl_mechanism", "username", "password", "password_file")
_TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password")
_REGISTRY_KEYS = ("registry_username", "registry_password", "registry_password_file", "registry_ca_file")
_FILES = (
    "password_file",
    "ca_file",
    "certificate_file",
    "key_file",
    "registry_password_file",
    "registry_ca_file",
)


class KafkaSettings(BaseModel):
    """Settings of the Kafka brokers and of the topics on them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    bootstrap: str = Field(
        default="127.0.0.1:9092",
        pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$",
        description="Addresses of brokers, `HOST:PORT`, separated by commas.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="What the brokers' listener asks of clients: `SSL` is TLS, `SASL_…` a login with user "
        "name and password.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="How the login is made; needed with `SASL_SSL` and `SASL_PLAINTEXT`."
    )
    username: str | None = Field(
        default=None, min_length=1, description="User name of the login, or API key."
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Password or API secret of the login; in the environment, or better in `password_file`.",
    )
    password_file: Path | None = Field(
        default=None,
        description="File with the password, such as a mounted secret; line ends after it don't count.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that the brokers' certificates come from. Without it those "
        "of the system are trusted.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="PEM file of the client's certificate, where brokers ask for one (mutual TLS).",
    )
    key_file: Path | None = Field(default=None, description="PEM file of that certificate's private key.")
    key_password: SecretStr | None = Field(default=None, description="Password of `key_file`, if it has one.")
    topic_prefix: str = Field(
        default="",
        pattern=r"^[a-zA-Z0-9._-]{0,100}$",
        description="Text before the name of every topic, consumer group and transactional id.",
    )
    partitions: int = Field(
        default=4,
        ge=1,
        le=1024,
        description="Partitions of every topic: inputs, journal, changelog and outputs have the same number. "
        "It can't be changed in place.",
    )
    replication: int = Field(default=1, ge=1, le=9, description="Copies of every topic. Use 3 in production.")
    registry_url: str | None = Field(
        default=None,
        description="Address of a Confluent-compatible schema registry; needs the `registry` extra. "
        "Without it the schema ids are those of the committed file.",
    )
    registry_username: str | None = Field(
        default=None,
        min_length=1,
        description="User name for the registry, or API key (basic authentication).",
    )
    registry_password: SecretStr | None = Field(
        default=None, min_length=1, description="Password for the registry, or API secret."
    )
    registry_password_file: Path | None = Field(
        default=None, description="File with the password for the registry; line ends after it don't count."
    )
    registry_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority that the registry's certificate comes from. Without it those "
        "of the system are trusted.",
    )

    def topics(self) -> Topics:
        """Return the topic contract of this deployment."""
        return Topics(self.topic_prefix, self.partitions, self.replication)

    def connection(self) -> Connection:
        """Return how every client of this deployment connects to Kafka; the password file is read now."""
        tls = login = None
        if self.security_protocol.endswith("SSL"):
            tls = Tls(
                _text(self.ca_file),
                _text(self.certificate_file),
                _text(self.key_file),
                _secret(self.key_password),
            )
        if self.security_protocol.startswith("SASL"):
            password = _password(self.password, self.password_file)
            login = Login(self.sasl_mechanism or "", self.username or "", password)
        return Connection(self.bootstrap, tls, login)

    def registry_login(self) -> tuple[str, str] | None:
        """Return user name and password for the schema registry; its password file is read now."""
        if self.registry_username is None:
            return None
        return self.registry_username, _password(self.registry_password, self.registry_password_file)

    @model_validator(mode="after")
    def _can_connect(self) -> Self:
        faults = [*self._unreadable(), *self._contradictions()]
        if not faults and self.security_protocol.endswith("SSL"):
            faults += self._unusable_certificates()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _unreadable(self) -> Iterator[str]:
        for key in _FILES:
            path = getattr(self, key)
            if path is None:
                continue
            try:
                content = path.read_bytes()
            except OSError as error:
                yield (
                    f"kafka.{key}: {path} can't be read ({error.strerror}): correct the path, or let the "
                    "user that runs this read it"
                )
            else:
                if "password" in key and not content.strip():
                    yield f"kafka.{key}: {path} is empty: write the password to it"

    def _contradictions(self) -> Iterator[str]:
        protocol = self.security_protocol
        if protocol.startswith("SASL"):
            if self.sasl_mechanism is None:
                yield (
                    f"kafka.sasl_mechanism is missing: {protocol} needs it, PLAIN, SCRAM-SHA-256 or "
                    "SCRAM-SHA-512, as your cluster has it"
                )
            if self.username is None:
                yield f"kafka.username is missing: {protocol} needs it (BELLBUOY_KAFKA__USERNAME)"
            if self.password is None and self.password_file is None:
                yield (
                    f"kafka.password is missing: {protocol} needs it (BELLBUOY_KAFKA__PASSWORD, or "
                    "kafka.password_file)"
                )
        else:
            yield from self._pointless(_LOGIN_KEYS, "asks for no login: make it SASL_SSL")
        if not protocol.endswith("SSL"):
            secure = "SASL_SSL" if protocol.startswith("SASL") else "SSL or SASL_SSL"
            yield from self._pointless(_TLS_KEYS, f"has no TLS: make it {secure}")
        yield from self._apart("certificate_file", "key_file", "is the other half of it")
        if self.key_password is not None and self.key_file is None:
            yield "kafka.key_password is set without kafka.key_file: set that as well, or leave it out"
        yield from self._registry_contradictions()
        for key in ("password", "registry_password"):
            if getattr(self, key) is not None and getattr(self, f"{key}_file") is not None:
                yield f"kafka.{key} and kafka.{key}_file are both set: leave one out"

    def _registry_contradictions(self) -> Iterator[str]:
        if self.registry_url is None:
            for key in _REGISTRY_KEYS:
                if getattr(self, key) is not None:
                    yield f"kafka.{key} is set without kafka.registry_url: set that as well, or leave it out"
            return
        password = self.registry_password or self.registry_password_file
        if self.registry_username is not None and password is None:
            yield "kafka.registry_username is set without kafka.registry_password: set that as well"
        if password is not None and self.registry_username is None:
            yield "kafka.registry_password is set without kafka.registry_username: set that as well"
        if self.registry_username is not None and "@" in self.registry_url:
            yield "kafka.registry_url has a user name, and kafka.registry_username is set: leave one out"
        if self.registry_ca_file is not None and not self.registry_url.startswith("https://"):
            yield "kafka.registry_ca_file is set, but kafka.registry_url is not https: correct one of them"

    def _pointless(self, keys: tuple[str, ...], why: str) -> Iterator[str]:
        for key in keys:
            if getattr(self, key) is not None:
                yield (
                    f"kafka.{key} is set, but kafka.security_protocol {self.security_protocol} {why}, or "
                    f"leave kafka.{key} out"
                )

    def _apart(self, one: str, other: str, why: str) -> Iterator[str]:
        for key, missing in ((one, other), (other, one)):
            if getattr(self, key) is not None and getattr(self, missing) is None:
                yield f"kafka.{key} is set without kafka.{missing}, which {why}: set both"

    def _unusable_certificates(self) -> Iterator[str]:
        from streams.kafka.aiokafka_connection import ssl_context  # noqa: PLC0415 - only with TLS

        try:
            ssl_context(Tls(_text(self.ca_file)))
        except (ssl.SSLError, OSError):
            yield f"kafka.ca_file: {self.ca_file} has no certificate in PEM form"
            return
        tls = self.connection().tls
        assert tls is not None
        try:
            ssl_context(tls)
        except (ssl.SSLError, OSError) as error:
            yield (
                f"kafka.certificate_file, kafka.key_file: {_reason(error)}: give the certificate and its own "
                "key in PEM form, and kafka.key_password where the key has one"
            )


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error).lower().replace("_", " ")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _password(given: SecretStr | None, file: Path | None) -> str:
    if file is not None:
        return file.read_text().rstrip("\r\n")
    return _secret(given) or ""
