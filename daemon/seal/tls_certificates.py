"""TLS certificates for the broker and its clients: X.509 (RFC 5280), ECDSA on P-256, issued by our own authority.

They decide who may connect to the broker, and under which name. Statements are signed with other keys.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from daemon.model.errors import ConfigurationError, MalformedError
from daemon.model.times import truncate

AUTHORITY_DAYS = 3650
DAYS = 825
"""How many days a server's or client's certificate is valid. Some TLS libraries refuse more than 825."""
_EARLIER = timedelta(hours=1)
"""A certificate is valid from this long before it is made, because other machines' clocks may be slow."""
_LONGEST_NAME = 64
"""In characters (RFC 5280, appendix A: ub-common-name)."""


@dataclass(frozen=True)
class Issued:
    """A new certificate and its private key (PKCS#8, unencrypted), both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates. Who has its key can let anybody connect, so the key is not kept on the broker's machine."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def make(cls, name: str, now: datetime) -> Self:
        """A new authority called `name`, valid for ten years. Raises ConfigurationError for a name that is too long."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = (
            _builder(subject, subject, key, now, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, certificate: bytes, key: bytes, *, what: str) -> Self:
        """An authority from PEM. Raises MalformedError when it is not PEM, or the key is not the certificate's."""
        try:
            loaded = serialization.load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise MalformedError(f"{what}: not an unencrypted PEM private key") from None
        parsed = parse(certificate, what=what)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != parsed.public_key():
            raise MalformedError(f"{what}: the private key is not this certificate's")
        return cls(parsed, loaded)

    def to_pem(self) -> Issued:
        """The authority's certificate and private key, both PEM."""
        return Issued(self.certificate.public_bytes(serialization.Encoding.PEM), _private_pem(self._key))

    def server(self, names: Sequence[str], now: datetime) -> Issued:
        """A certificate for a broker that clients reach under these host names and addresses (at least one).

        Raises ConfigurationError for what is neither, and for a first name that is too long.
        """
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        return self._issue(names[0], x509.random_serial_number(), now, ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def client(self, role: str, owner_id: str, now: datetime) -> Issued:
        """A certificate for one client. Its common name is `<role>:<id>:<first 8 hex digits of the serial number>`.

        Raises ConfigurationError when this is too long for a common name.
        """
        serial = x509.random_serial_number()
        name = f"{role}:{owner_id}:{f'{serial:040x}'[:8]}"
        return self._issue(name, serial, now, ExtendedKeyUsageOID.CLIENT_AUTH)

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether this authority issued `certificate`."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def _issue(
        self,
        common_name: str,
        serial: int,
        now: datetime,
        purpose: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        ours = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            _builder(_name(common_name), self.certificate.subject, key, now, DAYS, serial)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours), critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def parse(data: bytes, *, what: str) -> x509.Certificate:
    """A certificate from PEM. Raises MalformedError naming `what`."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError:
        raise MalformedError(f"{what}: not a PEM certificate") from None


def common_name(certificate: x509.Certificate) -> str:
    """The common name of the certificate's subject; empty when it has none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def host_names(certificate: x509.Certificate) -> frozenset[str]:
    """The host names and addresses for which a server's certificate is valid."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset({*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))})


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(truncate(now - _EARLIER))
        .not_valid_after(truncate(now + timedelta(days=days)))
    )


def _name(text: str) -> x509.Name:
    if len(text) > _LONGEST_NAME:
        raise ConfigurationError(
            f"{text!r}: too long for a certificate's common name",
            hint=f"it holds {_LONGEST_NAME} characters; take a shorter id or name",
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    """`name` as an IP address or a host name. Raises ConfigurationError when it is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not name or not name.isascii() or any(not (c.isalnum() or c in "-._") for c in name):
        raise ConfigurationError(f"{name!r}: not a host name or address", hint="as clients write it, without a port")
    return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
