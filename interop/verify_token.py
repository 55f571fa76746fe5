"""Believes a token of Cardea's with nothing but what its issuer publishes. It never asks whether the token was revoked."""

import json
import sys

import requests
from joserfc import jwt
from joserfc.jwk import KeySet


def verify(token, issuer, audience, scope):
    """The claims of a token that is ours, whole, current and good for `scope`; otherwise it raises."""
    metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=5).json()
    if metadata["issuer"] != issuer:
        raise ValueError("the metadata is another issuer's")
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=5).json())
    decoded = jwt.decode(token, keys, algorithms=["EdDSA"])
    if decoded.header.get("typ") != "at+jwt":
        raise ValueError("not an access token")
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    ).validate(decoded.claims)
    if scope not in decoded.claims["scope"].split():
        raise ValueError(f"not good for {scope}")
    return decoded.claims


if __name__ == "__main__":
    print(json.dumps(verify(sys.stdin.read().strip(), *sys.argv[1:4])))
