"""Authlib as an agent: client credentials with basic authentication, introspection and revocation of its own token."""

import json
import os

import requests
from authlib.integrations.requests_client import OAuth2Session

metadata = requests.get(os.environ["ISSUER"] + "/.well-known/oauth-authorization-server", timeout=5).json()
session = OAuth2Session(
    os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], token_endpoint_auth_method="client_secret_basic"
)


def introspect():
    return session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()


token = session.fetch_token(
    metadata["token_endpoint"],
    grant_type="client_credentials",
    resource=os.environ["RESOURCE"],
    scope=os.environ["SCOPE"],
)
before = introspect()
revoked = session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code
print(json.dumps({"scope": token["scope"], "before": before, "revoked": revoked, "after": introspect()}))
