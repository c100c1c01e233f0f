"""What a client may do, by the profile it was approved under. Profiles contradict each other; so policy is per client.

A public client cannot keep a secret: its refresh tokens change at each use, so that a stolen one shows (RFC 9700
§4.14). A client with a secret proves who it is at each refresh: its refresh token stays, and a lost answer locks
nobody out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    name: str
    auth_methods: frozenset[str]  # at the token endpoint, in the words of RFC 7591
    has_secret: bool
    rotates_refresh_tokens: bool
    any_loopback_port: bool  # RFC 8252 §7.3: a native app cannot know which port will be free


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smart-public",
            auth_methods=frozenset({"none"}),
            has_secret=False,
            rotates_refresh_tokens=True,
            any_loopback_port=True,
        ),
        Profile(
            "smart-secret",
            auth_methods=frozenset({"client_secret_basic", "client_secret_post"}),
            has_secret=True,
            rotates_refresh_tokens=False,
            any_loopback_port=False,
        ),
    )
}
