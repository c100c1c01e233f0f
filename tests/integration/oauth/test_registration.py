"""Dynamic registration (RFC 7591): of a candidate's client, with its vendor's token."""

import json
import re
from datetime import timedelta

import pytest
from catalogue_host import REDIRECT, Somebody, application
from client_keys import Signer

from app_catalog import register_vendor
from device_simulators.demo.submission import submit


async def candidate(host, profile="smart-asym"):
    """(its vendor, app id, application id, client id, an initial access token from the vendor's page)"""
    vendor = Somebody("vendor")
    options = {"person": vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="help@acme.example", **options)
        submitted = await submit(connection, application(profile=profile), vendor_id=vendor_id, **options)
    return vendor, submitted, await initial_token(host, vendor, submitted.app_id)


async def initial_token(host, vendor, app_id):
    async with host.browser(vendor) as browser:
        page = await browser.post(
            f"/catalogue/vendor/apps/{app_id}/registration", data={"csrf_token": vendor.csrf_token}
        )
        return re.search('id="initial-token">([^<]+)<', page.text)[1]


async def register(host, token, body):
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with host.browser() as client:
        return await client.post("/oauth/register", content=json.dumps(body), headers=headers)


async def test_a_program_registers_the_keys_of_a_candidate_which_work_before_and_after_its_approval(host):
    vendor, submitted, token = await candidate(host)
    signer = Signer("ES384")
    body = signer.metadata | {"redirect_uris": [REDIRECT], "grant_types": ["authorization_code"], "software_id": "x"}
    response = await register(host, token, body)
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    registered = response.json()
    assert registered["client_id"] == submitted.client_id
    assert registered["token_endpoint_auth_method"] == "private_key_jwt"
    assert registered["jwks"]["keys"][0]["kid"] == signer.kid
    assert "client_secret" not in registered
    async with host.browser() as client:
        form = {"token": "x", **signer.form(submitted.client_id)}
        assert (await client.post("/oauth/introspect", data=form)).json() == {"active": False}, "for the sandbox"
        async with host.pool.connection() as connection:
            await host.approve(connection, submitted.application_id, vendor)
        form = {"token": "x", **signer.form(submitted.client_id)}
        assert (await client.post("/oauth/introspect", data=form)).json() == {"active": False}


async def test_a_token_registers_once_a_candidate_only_and_for_an_hour(host):
    vendor, submitted, token = await candidate(host)
    body = Signer().metadata
    for wrong in ("", "x", '"', token + "x"):
        response = await register(host, wrong, body)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
        assert "Bearer" in response.headers["www-authenticate"]
    host.offset = timedelta(minutes=61)
    assert (await register(host, token, body)).status_code == 401
    host.offset = timedelta()
    assert (await register(host, token, body)).status_code == 201
    assert (await register(host, token, body)).status_code == 401
    late = await initial_token(host, vendor, submitted.app_id)
    async with host.pool.connection() as connection:
        await host.approve(connection, submitted.application_id, vendor)
    assert (await register(host, late, body)).status_code == 401
    async with host.browser(vendor) as browser:
        path = f"/catalogue/vendor/apps/{submitted.app_id}/registration"
        assert (await browser.post(path, data={"csrf_token": vendor.csrf_token})).status_code == 409
    other = Somebody("vendor")
    async with host.browser(other) as browser:
        assert (await browser.post(path, data={"csrf_token": other.csrf_token})).status_code == 403


async def test_what_is_wrong_is_told_registers_nothing_and_leaves_the_token(host):
    _, _, token = await candidate(host)
    good = Signer().metadata
    cases = [
        ({**good, "redirect_uris": ["https://evil.example/"]}, "invalid_redirect_uri"),
        ({**good, "redirect_uris": "x"}, "invalid_redirect_uri"),
        ({**good, "grant_types": ["password"]}, "invalid_client_metadata"),
        ({**good, "response_types": [{}]}, "invalid_client_metadata"),
        ({**good, "token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({**good, "token_endpoint_auth_method": []}, "invalid_client_metadata"),
        ({**good, "token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
        ({**good, "jwks_uri": "https://app.example/jwks"}, "invalid_client_metadata"),
        ({**good, "jwks": None, "jwks_uri": "http://169.254.169.254/"}, "invalid_client_metadata"),
        ({**good, "jwks": None, "jwks_uri": ["https://a.example"]}, "invalid_client_metadata"),
        ({**good, "jwks": {"keys": [Signer().public | {"kid": "\ud800"}]}}, "invalid_client_metadata"),
        ({**good, "jwks": {"keys": [Signer().public | {"kid": "\0"}]}}, "invalid_client_metadata"),
        ({**good, "jwks": {"keys": good["jwks"]["keys"] * 2}}, "invalid_client_metadata"),
        ({}, "invalid_client_metadata"),
        ([], "invalid_client_metadata"),
        ("x", "invalid_client_metadata"),
    ]  # fmt: skip
    for body, error in cases:
        response = await register(host, token, body)
        assert (response.status_code, response.json()["error"]) == (400, error), body
    async with host.browser() as client:
        headers = {"authorization": f"Bearer {token}"}
        for content, kind in ((b"{", "application/json"), (b"\xff", "application/json"), (b"{}", "text/plain"),
                              (b"[" * 60_000, "application/json"), (b" " * 70_000, "application/json")):  # fmt: skip
            response = await client.post("/oauth/register", content=content, headers=headers | {"content-type": kind})
            assert response.json()["error"] == "invalid_client_metadata"
    assert (await register(host, token, good)).status_code == 201
    assert host.journal.names().count("catalogue:client:register") == 1


@pytest.mark.parametrize("profile", ["smart-secret", "smart-public"])
async def test_a_secret_is_given_to_a_client_that_has_one_and_to_no_other(host, profile):
    _, _, token = await candidate(host, profile)
    registered = (await register(host, token, {})).json()
    assert ("client_secret" in registered) is (profile == "smart-secret")
    assert registered.get("client_secret_expires_at", 0) == 0
