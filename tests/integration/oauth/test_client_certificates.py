"""Clients that authenticate by a TLS certificate, and tokens bound to one (RFC 8705), behind a proxy."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from catalogue_host import Host, patient
from client_keys import Signer, certified

from app_catalog import CertificateHeader, grant_of_token, networks
from app_catalog.clients.certificate import Certificate
from app_catalog.clients.credentials import credentials_from
from app_catalog.errors import Unacceptable
from app_catalog.oauth.profiles import PROFILES

SUBJECT = "CN=app.example,O=Acme\\, Inc.,C=DE"


@pytest.fixture
def host(app_pool):
    """The browser of the tests connects from 127.0.0.1, where the proxy is."""
    return Host(app_pool, certificates=CertificateHeader(networks(["127.0.0.1"])))


def by_name(kind="tls_client_auth_subject_dn", name=SUBJECT, **more):
    return {"token_endpoint_auth_method": "tls_client_auth", kind: name, **more}


async def push(app, header=None, name="client-cert"):
    headers = {name: header} if header is not None else {}
    return await app.post("/oauth/par", app.authorization()[0], headers=headers)


async def test_a_certificate_of_the_registered_name_authenticates_in_both_spellings(host):
    certificate = certified(SUBJECT)
    app = await host.known_by("hddt", by_name())
    assert (await push(app, certificate.header)).status_code == 201
    assert (await push(app, quote(certificate.pem))).status_code == 201
    for wrong in (
        None, "", "::", ":x:", ":AAAA:", "x", quote(certificate.pem * 2), "%ff", certified("CN=other").header,
        certified(SUBJECT, days=-1).header, certified("C=DE,O=Acme\\, Inc.,CN=app.example").header,
        ":" + "A" * 20_000 + ":",
    ):  # fmt: skip
        response = await push(app, wrong)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client"), wrong


@pytest.mark.parametrize(
    ("kind", "names", "good", "bad"),
    [
        ("tls_client_auth_san_dns", {"dns": "App.example"}, "app.example", "example"),
        ("tls_client_auth_san_uri", {"uri": "urn:diga:1"}, "urn:diga:1", "urn:diga:2"),
        ("tls_client_auth_san_ip", {"ip": "192.0.2.1"}, "192.0.2.1", "192.0.2.2"),
        ("tls_client_auth_san_email", {"email": "a@app.example"}, "a@app.example", "b@app.example"),
    ],
)
def test_alternative_names_are_compared_by_their_kind(kind, names, good, bad):
    certificate = Certificate(certified(**names).der)
    assert certificate.bears(kind, good)
    assert not certificate.bears(kind, bad)
    assert not Certificate(certified().der).bears(kind, good)


async def test_a_self_signed_certificate_has_to_be_the_registered_one(host):
    certificate, other = certified(), certified()
    metadata = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certificate.jwks}
    app = await host.known_by("hddt", metadata)
    assert (await push(app, certificate.header)).status_code == 201
    assert (await push(app, other.header)).status_code == 401
    host.offset = timedelta(days=399)
    assert (await push(app, certificate.header)).status_code == 401

    host.offset = timedelta()
    authority = certified(signs_others=True)  # as `openssl req -x509` makes them unless it is told otherwise
    with pytest.raises(Unacceptable) as caught:
        credentials_from(metadata | {"jwks": authority.jwks}, PROFILES["hddt"])
    assert "CA:FALSE" in caught.value.faults[0].message
    stored = json.dumps(metadata | {"jwks": authority.jwks, "tls_client_certificate_bound_access_tokens": False})
    async with host.pool.connection() as connection:
        await connection.execute("UPDATE catalogue.app SET credentials = %s WHERE id = %s", (stored, app.app_id))
    assert (await push(app, authority.header)).status_code == 401, "also one that was registered before"


async def test_a_certificate_counts_only_where_the_proxy_is_trusted_to_pass_it_on(app_pool):
    certificate = certified(SUBJECT)
    for trusted, header, status in (
        (["127.0.0.1"], "Client-Cert", 201),
        (["127.0.0.0/8"], "X-SSL-Cert", 201),
        (["10.0.0.0/8", "::1"], "Client-Cert", 401),
        ([], "Client-Cert", 401),
    ):
        host = Host(app_pool, certificates=CertificateHeader(networks(trusted), header))
        app = await host.known_by("hddt", by_name())
        assert (await push(app, certificate.header, header.lower())).status_code == status, trusted
        if header != "Client-Cert":
            assert (await push(app, certificate.header)).status_code == 401


async def test_a_certificate_changes_nothing_for_a_client_that_authenticates_otherwise(host):
    app, confidential = await host.approved(), await host.approved("smart-secret")
    app.headers = confidential.headers = {"client-cert": certified(SUBJECT).header}
    assert (await app.tokens(patient()))["access_token"]
    assert (await confidential.tokens(patient()))["access_token"]
    confidential.secret, secret = None, confidential.secret
    assert (
        await confidential.post("/oauth/introspect", {"token": "x", "client_id": confidential.client_id})
    ).status_code == 401
    signer = Signer("ES256")
    signing = await host.known_by("hddt", signer.metadata)
    signing.headers = app.headers
    assert (await push(signing, certified(SUBJECT).header)).status_code == 401
    assert secret


async def test_a_bound_token_says_so_and_works_with_its_certificate_only(host):
    signer, certificate, other = Signer("ES256"), certified(), certified()
    metadata = signer.metadata | {"tls_client_certificate_bound_access_tokens": True}
    app = await host.known_by("hddt", metadata)
    app.proof, app.headers = lambda: signer.form(app.client_id), {"client-cert": certificate.header}
    token = await by_push(app)
    assert token["token_type"] == "Bearer"
    thumbprint = Certificate(certificate.der).thumbprint
    about = (await app.post("/oauth/introspect", {"token": token["access_token"]})).json()
    import base64

    assert about["cnf"] == {"x5t#S256": base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, token["access_token"], host.now())
    assert grant.is_borne_rightly(Certificate(certificate.der))
    assert not grant.is_borne_rightly(Certificate(other.der))
    assert not grant.is_borne_rightly(None)
    bearer = {"authorization": f"Bearer {token['access_token']}"}
    app.proof = dict
    for headers, status in ((bearer | app.headers, 200), (bearer, 401), (bearer | {"client-cert": other.header}, 401)):
        asked = await app.post("/oauth/introspect", {"token": token["access_token"]}, headers=headers)
        assert asked.status_code == status
    app.proof, app.headers = lambda: signer.form(app.client_id), {}
    assert (await app.refresh(token["refresh_token"])).status_code == 401, "its tokens are bound: it has to show one"


async def by_push(app):
    from catalogue_host import hidden, query_of

    parameters, verifier = app.authorization()
    query = {
        "client_id": app.client_id,
        "request_uri": (await app.post("/oauth/par", parameters)).json()["request_uri"],
    }
    async with app.host.browser(patient()) as browser:
        page = await browser.get("/oauth/authorize", params=query)
        form = {"request": hidden(page.text, "request"), "csrf_token": hidden(page.text, "csrf_token"),
                "purpose": ["weight", "glucose"], "decision": "approve"}  # fmt: skip
        code = query_of(await browser.post("/oauth/consent", data=form))["code"]
    return (await app.redeem(code, verifier)).json()
