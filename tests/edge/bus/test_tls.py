"""Files of certificates and keys, and what is said of those that do not do."""

import re
from pathlib import Path

import pytest

from edge.bus.connection import client_arguments
from edge.errors import SettingsError
from edge.settings import KafkaSettings
from tests.support.certificates import Authority

PASSWORD, WRONG = "opens the key", "wr0ng-passw0rd"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Every file that may be given for another one."""
    authority = Authority()
    edge, other = authority.issue("edge@mill"), authority.issue("other@mill")
    certificate, key = edge.write(tmp_path, "edge")
    (tmp_path / "junk").write_text("no PEM")
    return {
        "certificate": certificate,
        "key": key,
        "encrypted": edge.write(tmp_path, "encrypted", password=PASSWORD)[1],
        "other key": other.write(tmp_path, "other")[1],
        "junk": tmp_path / "junk",
        "missing": tmp_path / "missing",
    }


def connect(certificate: Path, key: Path, password: str | None) -> None:
    """Make what a client connects with."""
    own = {"ssl_cert_file": certificate, "ssl_key_file": key, "ssl_key_password": password}
    client_arguments(KafkaSettings.model_validate({"security_protocol": "SSL"} | own))


@pytest.mark.parametrize(("key", "password"), [("key", None), ("key", "not needed"), ("encrypted", PASSWORD)])
def test_a_certificate_and_its_key_are_loaded(files: dict[str, Path], key: str, password: str | None) -> None:
    """The key may be encrypted, or not."""
    connect(files["certificate"], files[key], password)


@pytest.mark.parametrize(
    ("certificate", "key", "password", "complaint"),
    [
        ("certificate", "encrypted", None, "kafka.ssl_key_password is not set, and KEY is encrypted"),
        ("certificate", "encrypted", WRONG, "kafka.ssl_key_password does not open KEY"),
        (
            "certificate",
            "other key",
            None,
            "kafka.ssl_key_file: KEY is not the key to the certificate in CERT",
        ),
        ("certificate", "junk", None, "CERT and KEY are no PEM files of a certificate and its key"),
        ("junk", "key", None, "CERT and KEY are no PEM files of a certificate and its key"),
        ("key", "certificate", None, "CERT and KEY are no PEM files of a certificate and its key"),
        ("missing", "key", None, "kafka.ssl_cert_file: CERT: No such file or directory"),
        ("certificate", "missing", None, "kafka.ssl_key_file: KEY: No such file or directory"),
    ],
)
def test_what_does_not_do_is_named(
    files: dict[str, Path], certificate: str, key: str, password: str | None, complaint: str
) -> None:
    """The message names setting and file and tells no password; nobody is asked for one on the terminal."""
    expected = complaint.replace("CERT", str(files[certificate])).replace("KEY", str(files[key]))
    with pytest.raises(SettingsError, match=re.escape(expected)) as raised:
        connect(files[certificate], files[key], password)
    assert WRONG not in f"{raised.value!r} {raised.value.__cause__!r}"
