"""TLS as the settings ask for it; certificate and host name of the other side are always verified."""

import os
import ssl
from pathlib import Path

from edge.errors import SettingsError
from edge.settings import KafkaSettings


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts these authorities; None stands for the system's.

    Raises:
        SettingsError: the file cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(
            f"kafka.ssl_ca_file: {ca_file} is no readable PEM file of certificates: {error}"
        ) from error


def broker_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Return the context to meet brokers in, with our own certificate if there is one.

    Raises:
        SettingsError: a file cannot be read, the key is another certificate's, or its password is wrong.
    """
    context = trusting(kafka.ssl_ca_file)
    if kafka.ssl_cert_file is not None and kafka.ssl_key_file is not None:
        password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
        _load_own(context, kafka.ssl_cert_file, kafka.ssl_key_file, password)
    return context


def _load_own(context: ssl.SSLContext, cert_file: Path, key_file: Path, password: str) -> None:
    asked = []

    def give_password() -> str:  # for an encrypted key; without a password OpenSSL would ask on the terminal
        asked.append(key_file)
        return password

    try:
        context.load_cert_chain(cert_file, key_file, give_password)
    except ssl.SSLError as error:
        if asked:
            complaint = (
                f"does not open {key_file}" if password else f"is not set, and {key_file} is encrypted"
            )
            raise SettingsError(f"kafka.ssl_key_password {complaint}") from error
        raise SettingsError(_mismatch(cert_file, key_file, error)) from error
    except OSError as error:
        files = {"kafka.ssl_cert_file": cert_file, "kafka.ssl_key_file": key_file}
        unreadable = [f"{name}: {file}" for name, file in files.items() if not os.access(file, os.R_OK)]
        raise SettingsError(f"{', '.join(unreadable)}: {error.strerror}") from error


def _mismatch(cert_file: Path, key_file: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"kafka.ssl_key_file: {key_file} is not the key to the certificate in {cert_file}"
    return (
        f"kafka.ssl_cert_file, kafka.ssl_key_file: {cert_file} and {key_file} are no PEM files of a "
        f"certificate and its key: {error}"
    )
