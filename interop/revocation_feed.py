"""Tries `follow_revocations.py` against a running server, on commands from the standard input, one answer a line."""

import json
import os
import sys
import time

import requests
from follow_revocations import Feed
from verify_token import verify

issuer, audience = os.environ["ISSUER"], os.environ["RESOURCE"]
agent = (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
connection = (os.environ["CONNECTION_ID"], os.environ["CONNECTION_SECRET"])
feeds = {"stream": Feed(issuer, connection).start(), "poll": Feed(issuer, connection, by_stream=False).start()}
session = requests.Session()


def until(done, seconds=10):
    """Seconds until `done` holds; fails when it never does."""
    begun = time.perf_counter()
    while not done():
        if time.perf_counter() - begun > seconds:
            raise TimeoutError(done)
        time.sleep(0.0005)
    return time.perf_counter() - begun


def token():
    form = {"grant_type": "client_credentials", "resource": audience, "scope": "orders:read"}
    return session.post(f"{issuer}/oauth2/token", data=form, auth=agent, timeout=5).json()["access_token"]


def claims(text):
    return verify(text, issuer, audience, "orders:read")


def ready():
    until(lambda: all(feed.at is not None and feed.active for feed in feeds.values()))
    return {name: feed.at for name, feed in feeds.items()}


def latency(mode, count):
    """Milliseconds from the call that revokes to the refusal here: median, 99th of a hundred, largest."""
    feed, spent = feeds[mode], []
    for _ in range(int(count)):
        text = token()
        known = claims(text)
        assert feed.refuses(known) is None, feed.refuses(known)
        begun = time.perf_counter()
        session.post(f"{issuer}/oauth2/revoke", data={"token": text}, auth=agent, timeout=5).raise_for_status()
        until(lambda: feed.refuses(known))
        spent.append((time.perf_counter() - begun) * 1000)
    spent.sort()
    pick = lambda part: round(spent[min(len(spent) - 1, int(len(spent) * part))], 1)
    return {"p50": pick(0.5), "p99": pick(0.99), "max": round(spent[-1], 1), "count": len(spent)}


def gap(mode):
    """Loses a batch on the way: the next one shows it, and a snapshot brings back what was lost."""
    feed, lost, later = feeds[mode], token(), token()
    known, before = claims(lost), feed.snapshots
    feed.lose = 1
    for text in (lost, later):
        session.post(f"{issuer}/oauth2/revoke", data={"token": text}, auth=agent, timeout=5).raise_for_status()
        time.sleep(0.3)
    until(lambda: feed.snapshots > before)
    until(lambda: feed.refuses(known))
    return {"snapshots": feed.snapshots - before}


def refused(text):
    known = claims(text)
    return {name: until(lambda feed=feed: feed.refuses(known)) for name, feed in feeds.items()}


def reached(at):
    until(lambda: all(feed.at is not None and feed.at >= int(at) for feed in feeds.values()), 20)
    return {name: feed.snapshots for name, feed in feeds.items()}


commands = {"ready": ready, "latency": latency, "gap": gap, "refused": refused, "reached": reached}
for line in sys.stdin:
    name, *arguments = line.split()
    print(json.dumps(commands[name](*arguments)), flush=True)
