"""TLS of our MQTT clients."""

import ssl
from pathlib import Path


def tls_context(ca: Path | None = None, certificate: Path | None = None) -> ssl.SSLContext:
    """Trusts `ca` (PEM), or this host's authorities; shows `certificate` (PEM with its key), if there is one.

    Raises OSError for files that cannot be read.
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context
