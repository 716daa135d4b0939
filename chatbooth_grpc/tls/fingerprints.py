"""The fingerprint of a certificate: how it is computed, written, and read."""

from __future__ import annotations

import hashlib
import re
import ssl

_PREFIX = "SHA256:"


def fingerprint_of(der: bytes) -> str:
    """Return the fingerprint of a certificate in DER, such as SHA256:0a1b… with 64 hex digits."""
    return f"{_PREFIX}{hashlib.sha256(der).hexdigest()}"


def fingerprint_of_pem(certificate: str) -> str:
    """Return the fingerprint of a certificate in PEM. Empty if the text is no such certificate."""
    try:
        return fingerprint_of(ssl.PEM_cert_to_DER_cert(certificate))
    # It is not PEM, it is not base64, or it is not ASCII.
    except ValueError:
        return ""


def normal_fingerprint(text: str) -> str:
    """Return a fingerprint that a person wrote, as `fingerprint_of` writes it. Raises ValueError.

    The hex digits may have colons between them and be capital letters, as `openssl x509 -fingerprint -sha256` prints
    them. The prefix may be absent.
    """
    digits = re.sub(r"^(sha256( fingerprint)?[:=])?", "", text.strip().lower()).replace(":", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(f"{text!r} is not a certificate's fingerprint: write SHA256: and 64 hex digits")
    return _PREFIX + digits
