"""Whether a certificate could sign others.

A client's self-signed certificate has to be trusted as a root where TLS is our own. One that may sign (what
``openssl req -x509`` makes unless it is told otherwise) would let its owner make certificates of any name, and so pass
for every client that is known by a name.
"""

from cryptography import x509


def is_authority(certificate: x509.Certificate) -> bool:
    """As OpenSSL judges (RFC 5280 §4.2.1.9): a version 1 certificate has nothing that forbids it. Also where its
    extensions cannot be read."""
    try:
        said = {type(extension.value): extension.value for extension in certificate.extensions}
    except ValueError:
        return True
    constraints, usage = said.get(x509.BasicConstraints), said.get(x509.KeyUsage)
    if isinstance(constraints, x509.BasicConstraints):
        return constraints.ca
    if isinstance(usage, x509.KeyUsage):
        return usage.key_cert_sign
    return certificate.version is x509.Version.v1
