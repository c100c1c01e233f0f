"""TLS of our own for `serve`, that says with which certificate a client connected.

uvicorn keeps that to itself. This protocol tells the application as ASGI's TLS extension has it. OpenSSL has checked
the certificate before, against the authorities that the operator names: what it cannot check never connects.
"""

import ssl
from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from device_gateway.settings import Settings


class CertificateProtocol(HttpToolsProtocol):
    _told: dict[str, Any]

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        der = connection.getpeercert(binary_form=True) if connection is not None else None
        self._told = {"tls": {"client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)]}} if der else {}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._told


def tls_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is to do about TLS: nothing where the settings name no certificate."""
    if settings.tls_certificate is None:
        return {}
    options = {"ssl_certfile": str(settings.tls_certificate), "ssl_keyfile": str(settings.required("tls_key"))}
    if settings.client_authorities is None:
        return options
    return options | {
        "ssl_ca_certs": str(settings.client_authorities),
        "ssl_cert_reqs": ssl.CERT_OPTIONAL,  # browsers have none
        "http": CertificateProtocol,
    }
