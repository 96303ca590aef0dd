"""Logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6): whether the provider made one for us, just now."""

from collections.abc import Sequence
from dataclasses import dataclass

from knowlog.tenants.sign_on.id_tokens import (
    Jwk,
    check_parties,
    check_times,
    name_in,
    read_claims,
    refused,
    signed_payload,
)

_KIND = ("logout+jwt", "application/logout+jwt")
"""What it must say that it is, so that no other token of the provider can be taken for one."""
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Who has signed out: an account, whoever is in a session of the provider's. Both: that account in that session."""

    subject: str | None
    session: str | None
    token_id: str


def read_logout_token(
    token: str, keys: Sequence[Jwk], issuer: str, client_id: str, now_s: float
) -> SignedOut:
    """What a logout token says that is as it must be. Raises UnknownKey, BadIdToken with the reason."""
    claims = read_claims(signed_payload(token, keys, _KIND)[1])
    check_parties(claims, issuer, client_id)
    check_times(claims, now_s)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise refused("it tells of no logout")
    if "nonce" in claims:
        raise refused("it has a nonce, as ID tokens have")
    names = {each: name_in(claims, each) for each in ("sub", "sid", "jti")}
    if any(name is None and each in claims for each, name in names.items()):
        raise refused("it names something that cannot be a name")
    if names["jti"] is None:
        raise refused("it has no name of its own, so that it could be used twice")
    if names["sub"] is None and names["sid"] is None:
        raise refused("it says of nobody that they have signed out")
    return SignedOut(names["sub"], names["sid"], names["jti"])
