"""A resource server's side of Cardea's revocation feed: it follows by stream or by long poll, verifies every batch with
the published keys alone, and says of a verified token whether it may still be taken. It never introspects."""

import base64
import json
import threading
import time

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

EVENT_TYPE = "urn:cardea:secevent:revocations"
# The feed gives a sign of life every 10 seconds. Without one for this long, nothing is taken on its word.
SILENCE = 25


class Gap(Exception):
    """A batch was missed: begin again with a snapshot."""


class Feed:
    def __init__(self, issuer, credential, by_stream=True):
        self.issuer, self.credential, self.by_stream = issuer, credential, by_stream
        document = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=5).json()
        if document["issuer"] != issuer:
            raise ValueError("the metadata is another issuer's")
        self.url, self.jwks_uri = document["revocation_feed_endpoint"], document["jwks_uri"]
        self.keys = self.fetch_keys()
        self.at, self.heard, self.snapshots, self.lose = None, 0.0, 0, 0
        self.clear()

    def fetch_keys(self):
        return KeySet.import_key_set(requests.get(self.jwks_uri, timeout=5).json())

    def clear(self):
        self.active, self.dead, self.marks = False, {}, {}

    # What a batch says ------------------------------------------------------------------------------------------

    def verify(self, text):
        header = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
        if header.get("kid") not in [key.kid for key in self.keys.keys]:
            self.keys = self.fetch_keys()
        decoded = jwt.decode(text, self.keys, algorithms=["EdDSA"])
        if decoded.header.get("typ") != "secevent+jwt":
            raise ValueError("not a security event token")
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": f"{self.issuer}/revocations"},
        ).validate(decoded.claims)
        return decoded.claims["events"][EVENT_TYPE]

    def apply(self, text):
        batch = self.verify(text)
        if self.lose and batch["changes"]:
            self.lose -= 1  # for the test: as if this one never arrived
            return
        if batch.get("snapshot"):
            self.clear()
            self.snapshots += 1
        elif batch["from"] > self.at:
            raise Gap()
        elif batch["to"] < self.at:
            return
        for change in batch["changes"]:
            self.take(change)
        self.active, self.at, self.heard = batch["active"], batch["to"], time.monotonic()

    def take(self, change):
        kind = change["type"]
        if kind in ("agent", "audience"):
            node = (kind, change[kind])
            if change["active"]:
                self.dead.pop(node, None)
            else:
                self.dead[node] = None
            return
        name = next(name for name in ("jti", "grant", "agent", "run", "audience", "all") if name in change)
        node = (name, change[name])
        if kind == "revoked":
            self.dead[node] = change["until"]
        elif kind == "issued_before":
            self.marks[node] = max(change["rev"], self.marks.get(node, 0))
        elif kind == "forgotten":
            self.dead.pop(node, None)
            self.marks.pop(node, None)

    # What it means for a token ------------------------------------------------------------------------------------

    def refuses(self, claims):
        """Why a verified token may not be taken now; None when the feed has nothing against it."""
        if time.monotonic() - self.heard > SILENCE:
            return "the feed is silent: introspect instead"
        if not self.active:
            return "the organization is stopped"
        nodes = [("jti", claims["jti"]), ("agent", claims["sub"]), ("audience", claims["aud"]), ("all", True)]
        nodes += [("grant", grant) for grant in claims["lin"]]
        if "run_id" in claims:
            nodes.append(("run", claims["run_id"]))
        for node in nodes:
            if node in self.dead:
                return f"{node[0]} {node[1]} is revoked"
            if claims.get("rev", 0) < self.marks.get(node, 0):
                return f"{node[0]} {node[1]}: issued before {self.marks[node]}"
        return None

    # Following ------------------------------------------------------------------------------------------------------

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def run(self):
        while True:
            try:
                if self.at is None:
                    self.apply(self.get("/snapshot").text)
                if self.by_stream:
                    self.stream()
                else:
                    self.apply(self.get(f"?after={self.at}&wait=20").text)
            except Gap:
                self.at = None
            except (requests.RequestException, ValueError):
                time.sleep(0.1)

    def get(self, rest, **more):
        answer = requests.get(self.url + rest, auth=self.credential, timeout=(2, SILENCE), **more)
        if answer.status_code == 410:
            raise Gap()
        answer.raise_for_status()
        return answer

    def stream(self):
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self.at)}
        with self.get("", headers=headers, stream=True) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data:"):
                    self.apply(line[5:].strip().decode())
