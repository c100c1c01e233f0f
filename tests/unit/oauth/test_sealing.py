"""A sealed answer opens with its refresh token and its binding, and with nothing else."""

import re

from app_catalog.oauth.sealing import seal, unseal
from app_catalog.oauth.secret_text import new_secret, sha256


def test_only_the_consumed_token_and_the_same_request_open_the_answer():
    refresh_token, answer = new_secret(), {"access_token": new_secret(), "scope": "é"}
    sealed = seal(answer, refresh_token, "binding")
    assert unseal(sealed, refresh_token, "binding") == answer
    assert unseal(sealed, refresh_token, "another") is None
    assert unseal(sealed, new_secret(), "binding") is None
    assert unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), refresh_token, "binding") is None


def test_what_is_stored_of_a_token_tells_nothing_of_its_key():
    refresh_token = new_secret()
    sealed = seal({"access_token": "a"}, refresh_token, "")
    assert unseal(sealed, sha256(refresh_token).hex(), "") is None
    assert b"access_token" not in sealed


def test_secrets_have_256_bits_and_never_repeat():
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert all(re.fullmatch("[A-Za-z0-9_-]{43}", secret) for secret in secrets)  # of the b64token of RFC 6750
