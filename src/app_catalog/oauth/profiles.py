"""What a client may do, by the profile it was approved under. Profiles contradict each other; so policy is per client.

A public client cannot keep a secret: its refresh tokens change at each use, so that a stolen one shows (RFC 9700
§4.14). A client that proves who it is at each refresh keeps its refresh token, and a lost answer locks nobody out;
unless its profile wants rotation all the same (HDDT).

FAPI 2.0 would be a profile of its own: it forbids what SMART needs, see docs/decisions/020-clients.md.
"""

from dataclasses import dataclass
from datetime import timedelta

from app_catalog.oauth import lifetimes

TLS_NAME, TLS_SELF_SIGNED = "tls_client_auth", "self_signed_tls_client_auth"
ASSERTION = "private_key_jwt"
ASYMMETRIC_METHODS = (ASSERTION, TLS_NAME, TLS_SELF_SIGNED)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
METHODS = [*SECRET_METHODS, *ASYMMETRIC_METHODS, "none"]


@dataclass(frozen=True)
class Profile:
    """auth_methods           at the token endpoint, in the words of RFC 7591
    rotates_refresh_tokens  whether each refresh gives a new one
    any_loopback_port       RFC 8252 §7.3: a native app cannot know which port will be free
    assertion_algs          with which a client may sign who it is (JWA)
    requires_par            whether requests have to be pushed (RFC 9126)
    needs_audience          whether requests have to name the FHIR server (SMART 2.2 has `aud`, HDDT has nothing)
    names_subject           whether the token response has the pairing id as ``sub`` as well (HDDT)
    access_token            how long one works
    idle                    how long a refresh token works that is not used; each use begins it anew
    grant                   how long all of it lasts, however much it is used
    """

    name: str
    auth_methods: frozenset[str]
    rotates_refresh_tokens: bool = False
    any_loopback_port: bool = False
    assertion_algs: tuple[str, ...] = ()
    requires_par: bool = False
    needs_audience: bool = True
    names_subject: bool = False
    access_token: timedelta = lifetimes.ACCESS_TOKEN
    idle: timedelta = lifetimes.IDLE_IF_PROVEN
    grant: timedelta = lifetimes.GRANT

    @property
    def has_secret(self) -> bool:
        return not self.auth_methods.isdisjoint(SECRET_METHODS)

    @property
    def is_public(self) -> bool:
        return "none" in self.auth_methods

    @property
    def has_keys(self) -> bool:
        """Whether its vendor has to say by which keys or certificate it is known."""
        return not self.auth_methods.isdisjoint(ASYMMETRIC_METHODS)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smart-public",
            auth_methods=frozenset({"none"}),
            rotates_refresh_tokens=True,
            any_loopback_port=True,
            idle=lifetimes.IDLE_IF_BORNE,
        ),
        Profile("smart-secret", auth_methods=frozenset(SECRET_METHODS)),
        Profile("smart-asym", auth_methods=frozenset({ASSERTION}), assertion_algs=("RS384", "ES384")),
        Profile(
            "hddt",
            auth_methods=frozenset(ASYMMETRIC_METHODS),
            rotates_refresh_tokens=True,
            assertion_algs=("PS256", "ES256"),
            requires_par=True,
            needs_audience=False,
            names_subject=True,
            idle=lifetimes.IDLE_IF_BORNE,
        ),
    )
}
