"""A real broker with listeners that ask for a login or a client's certificate, and an authority for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bellbuoy.local.embedded.kafka import Kafka
from bellbuoy.local.embedded.ports import HOST, free_port
from schemas.connection import Connection

USER, PASSWORD, KEY_PASSWORD = "bellbuoy", 'it\'s, a "secret" = 1', "of the key"
_DAY = dt.timedelta(days=1)


class Authority:
    """A certificate authority of a test, with the files that it issues in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.ca_file = folder, folder / "ca.pem"
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, key_password: str | None = None) -> tuple[Path, Path]:
        """Return the files of a certificate for this machine's own address and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(name), self._name, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
            )
            .add_extension(_usage(signs=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        encryption: serialization.KeySerializationEncryption = (
            serialization.NoEncryption()
            if key_password is None
            else serialization.BestAvailableEncryption(key_password.encode())
        )
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return files


@dataclass(frozen=True)
class SecuredKafka:
    """The broker: ``login`` and ``certificate`` are where each is asked for, ``inner`` asks for nothing."""

    authority: Authority
    inner: Connection
    login: str
    certificate: str
    admin: AdminClient


@contextmanager
def secured_kafka(folder: Path, users: Sequence[str] = (USER,)) -> Iterator[SecuredKafka]:
    """
    Yield a broker that knows users by ``PASSWORD``, with SCRAM and the first one with PLAIN.

    That one may do everything, as may who is not asked; the others only what they are allowed.
    """
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("broker")
    keystore = folder / "broker-keystore.pem"
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    inner, login, mutual, controller = (free_port() for _ in range(4))
    listeners = f"PLAINTEXT://{HOST}:{inner},SASL_SSL://{HOST}:{login},SSL://{HOST}:{mutual}"
    modules = "org.apache.kafka.common.security"
    quoted = PASSWORD.replace('"', '\\\\"')
    kafka = Kafka(
        folder / "kafka",
        port=inner,
        settings={
            "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,"
            "SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{users[0]};User:CN=client",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{modules}.plain.PlainLoginModule required "
            f'user_{users[0]}="{quoted}";',
            **{
                f"listener.name.sasl_ssl.scram-sha-{bits}.sasl.jaas.config": f"{modules}.scram."
                "ScramLoginModule required;"
                for bits in (256, 512)
            },
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.ca_file),
            "listener.name.ssl.ssl.client.auth": "required",
        },
    )
    try:
        kafka.start()
        known = [
            UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
            for user in users
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        ]
        admin = AdminClient({**kafka.connection.librdkafka(), "log_level": 0})
        for each in known:
            for done in admin.alter_user_scram_credentials([each]).values():
                done.result(30)
        yield SecuredKafka(authority, kafka.connection, f"{HOST}:{login}", f"{HOST}:{mutual}", admin)
    finally:
        kafka.stop()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
