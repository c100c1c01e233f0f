"""What clients find out by themselves is true."""

from catalogue_host import ISSUER, Host, patient

from app_catalog import CertificateHeader, networks, smart_configuration


async def test_the_metadata_says_what_works_and_nothing_else(host):
    async with host.browser() as client:
        response = await client.get("/.well-known/oauth-authorization-server", headers={"origin": "https://a.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    metadata = response.json()
    assert metadata["issuer"] == ISSUER
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for absent in ("jwks_uri", "userinfo_endpoint"):
        assert absent not in metadata
    assert "openid" not in metadata["scopes_supported"]
    for document in (metadata, smart_configuration(host.wiring)):
        methods = {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
        assert set(document["token_endpoint_auth_methods_supported"]) == methods
        algs = {"RS384", "ES384", "PS256", "ES256"}
        assert set(document["token_endpoint_auth_signing_alg_values_supported"]) == algs
    assert "none" not in metadata["introspection_endpoint_auth_methods_supported"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is False


async def test_certificates_are_offered_only_where_a_proxy_may_pass_them_on(app_pool):
    host = Host(app_pool, certificates=CertificateHeader(networks(["10.0.0.5"])))
    async with host.browser() as client:
        metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
    tls = {"tls_client_auth", "self_signed_tls_client_auth"}
    assert tls <= set(metadata["token_endpoint_auth_methods_supported"])
    assert metadata["tls_client_certificate_bound_access_tokens"] is True


async def test_every_advertised_endpoint_is_there_and_every_other_one_is_not(host):
    async with host.browser() as client:
        metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
        for name, url in metadata.items():
            if name.endswith("_endpoint"):
                path = url.removeprefix(ISSUER)
                assert (await client.post(path, data={"a": "b"})).status_code in {400, 401}, name
        for path in ("/oauth/jwks", "/.well-known/openid-configuration"):
            assert (await client.get(path)).status_code == 404


async def test_every_advertised_scope_and_grant_works(host):
    from catalogue_host import purpose

    scopes = smart_configuration(host.wiring)["scopes_supported"]
    resources = " ".join(scope for scope in scopes if scope.startswith("patient/"))
    app = await host.approved(purposes=(purpose("all", read_scope=resources),))
    token = await app.tokens(patient(), ["all"], scope=" ".join(scopes))
    # Without a launch there is nothing to tell of one; and online access is the lesser of two that were asked for.
    assert set(scopes) - set(token["scope"].split()) == {"launch", "online_access"}
    older = await app.tokens(patient(), ["all"], scope=resources.replace(".rs", ".read"))
    assert older["scope"].split() == sorted(resources.replace(".rs", ".read").split()), "as it was asked for"


async def test_the_smart_configuration_claims_the_standalone_set_for_patients(host):
    document = smart_configuration(host.wiring)
    assert "issuer" not in document
    standalone = {"launch-standalone", "client-public", "context-standalone-patient", "permission-patient"}
    from_the_portal = {"launch-ehr", "client-public", "context-ehr-patient", "permission-patient"}
    others = {"client-confidential-symmetric", "client-confidential-asymmetric", "authorize-post", "permission-v1",
              "permission-v2", "permission-offline", "permission-online", "context-banner"}  # fmt: skip
    assert set(document["capabilities"]) == standalone | from_the_portal | others
    assert document["authorization_endpoint"] == f"{ISSUER}/oauth/authorize"
    assert document["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["scopes_supported"]
    urls = [text for text in document.values() if isinstance(text, str)]
    assert all(url.startswith(f"{ISSUER}/") for url in urls), urls


async def test_scripts_of_a_browser_app_may_read_its_tokens_and_no_others(host):
    app = await host.approved()
    await host.approved("smart-secret", redirect_uris=("https://confidential.example/cb",))
    async with host.browser() as client:
        for origin, allowed in (
            ("https://app.example", True),
            ("https://app.example:444", False),
            ("http://app.example", False),
            ("https://evil.example", False),
            ("https://confidential.example", False),
            ("null", False),
            ("'", False),
        ):
            for response in (
                await client.options(
                    "/oauth/token", headers={"origin": origin, "access-control-request-method": "POST"}
                ),
                await client.post("/oauth/token", data={"client_id": app.client_id}, headers={"origin": origin}),
            ):
                assert (response.headers.get("access-control-allow-origin") == origin) is allowed
                assert "access-control-allow-credentials" not in response.headers
                assert "Origin" in response.headers["vary"]
        answer = await client.post("/oauth/introspect", data={}, headers={"origin": "https://app.example"})
        assert "access-control-allow-origin" not in answer.headers
