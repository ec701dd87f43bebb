"""What other parties say about a failure, in words for the operator and without our secrets."""

import errno
import os
from collections.abc import Iterable

MASKED = "***"

_NOT_FOR_THIS_HOST = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH


def certificate_words(error: Exception, address_setting: str) -> str:
    """Say why the other side's certificate does not do.

    Args:
        error: what the ssl module says.
        address_setting: where the name stands that we called the other side by.
    """
    is_elsewhere = getattr(error, "verify_code", 0) in _NOT_FOR_THIS_HOST
    setting = address_setting if is_elsewhere else "kafka.ssl_ca_file"
    said = str(getattr(error, "verify_message", None) or error).rstrip(".")
    return f"its certificate is not trusted: {said}; see {setting}"


def system_words(error: OSError) -> str:
    """Return the system's words; asyncio's own repeat the address in Python's notation."""
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return error.strerror or str(error) or repr(error)


def without(secrets: Iterable[str], text: str) -> str:
    """Take secrets out, should the other side's words repeat them."""
    for secret in filter(None, secrets):
        text = text.replace(secret, MASKED)
    return text
