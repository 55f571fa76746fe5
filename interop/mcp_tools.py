"""FastMCP's client at the tools of an organization: what is listed, one call, and what it is told without a token."""

import asyncio
import json
import os

import requests
from fastmcp import Client


async def with_token(url, token):
    async with Client(url, auth=token) as client:
        tools = [tool.name for tool in await client.list_tools()]
        called = await client.call_tool("get-organization", {})
        return {"tools": tools, "organization": called.structured_content}


def without_token(url):
    answer = requests.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, timeout=5)
    return {"status": answer.status_code, "challenge": answer.headers.get("WWW-Authenticate")}


async def refused(url):
    try:
        async with Client(url) as client:
            await client.list_tools()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it was let in"


url = os.environ["MCP_URL"]
print(json.dumps({
    "owner": asyncio.run(with_token(url, os.environ["OWNER_TOKEN"])),
    "viewer": asyncio.run(with_token(url, os.environ["VIEWER_TOKEN"])),
    "nobody": without_token(url),
    "refused": asyncio.run(refused(url)),
}))
