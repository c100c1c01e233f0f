"""A token that is bound to a certificate opens data for whoever shows it, and for nobody else (RFC 8705 §3)."""

from catalogue_host import purpose
from client_keys import Signer, certified
from fhir_world import SCOPES, World

from app_catalog import CertificateHeader, networks


async def test_a_bound_token_reads_with_its_certificate_only(app_pool, owner_url):
    world = World(app_pool, owner_url, certificates=CertificateHeader(networks(["127.0.0.1"])))
    signer, mine, other = Signer("ES384"), {"client-cert": certified().header}, {"client-cert": certified().header}
    app = await world.host.known_by(
        "smart-asym",
        signer.metadata | {"tls_client_certificate_bound_access_tokens": True},
        purposes=tuple(purpose(key, read_scope=text) for key, text in SCOPES.items()),
    )
    app.proof, app.headers = lambda: signer.form(app.client_id), mine
    async with world.client:
        session = await world.session(app=app)
        assert (await session.get("Observation", headers=mine)).status_code == 200
        for headers in ({}, other, {"client-cert": "x"}):
            refused = await session.get("Observation", headers=headers)
            assert refused.status_code == 401
            assert 'error="invalid_token"' in refused.headers["www-authenticate"]
