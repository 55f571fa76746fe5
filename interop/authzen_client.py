"""A client of AuthZEN's Authorization API 1.0 from another project asks Cardea as it asks any decision point. It prints
what it was told, and what a wrong token and an incomplete question are answered with."""

import json
import os

from decern import Client
from decern.client import DecernError

POINT = os.environ["ISSUER"]


def asked(subject, action, token=os.environ["API_TOKEN"], resource=None):
    """One question, as the client reads the answer."""
    client = Client(POINT, token=token)
    try:
        answer = client.evaluate(subject, action, resource or {"type": "orders", "id": "17"}, {"ip": "192.0.2.1"})
    except DecernError as refused:
        return refused.status_code
    return [answer.allowed, answer.reasons]


owner = {"type": "user", "id": os.environ["OWNER"]}
agent = {"type": "agent", "id": os.environ["CLIENT_ID"]}
print(
    json.dumps(
        {
            "owner": asked(owner, "read"),
            "agent": asked(agent, {"name": "write", "properties": {"soft": True}}),
            "undeclared": asked(owner, "delete"),
            "nobody": asked({"type": "user", "id": "nobody"}, "read"),
            "wrong token": asked(owner, "read", token="cdt_x"),
            "incomplete": asked({"type": "user"}, "read"),
        }
    )
)
