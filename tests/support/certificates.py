"""Certificates that are made for a test, and PEM files of them."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key as PEM texts; the key is PKCS #8, the only form that Kafka reads."""

    chain: str
    key: str

    def write(self, folder: Path, name: str, *, password: str = "") -> tuple[Path, Path]:
        """Write two files, the key encrypted if there is a password; return where they are."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key.pem"
        certificate.write_text(self.chain, encoding="utf-8")
        key.write_text(_encrypted(self.key, password) if password else self.key, encoding="utf-8")
        return certificate, key


class Authority:
    """Whoever trusts ``certificate`` trusts what is issued here."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.certificate = self._ca.cert_pem.bytes().decode()

    def issue(self, *names: str) -> Certificate:
        """Certify host names, addresses, or the e-mail address of a client."""
        issued = self._ca.issue_cert(*names)
        chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
        return Certificate(chain, _encrypted(issued.private_key_pem.bytes().decode(), ""))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return what a server under these names speaks TLS with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def write(self, folder: Path) -> Path:
        """Write the file of this one authority; return where it is."""
        file = folder / "ca.pem"
        file.write_text(self.certificate, encoding="utf-8")
        return file


def _encrypted(key: str, password: str) -> str:
    return (
        serialization.load_pem_private_key(key.encode(), password=None)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption(),
        )
        .decode()
    )
