"""A client of the `mcp` package that makes the calls it is given on standard input and prints what came of them.

Usage: mcp_calls.py URL TOKEN < CALLS, where CALLS is JSON, a list of `[TOOL, ARGUMENTS]`.
"""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


async def made(client, tool, arguments):
    """What one call comes to, as the model gets it."""
    try:
        result = await client.call_tool(tool, arguments)
    except Exception as error:  # whatever the package makes of it
        return {"refused": str(error)}
    text = "\n".join(part.text for part in result.content if part.type == "text")
    return {"error": bool(result.is_error), "text": text}


async def main(url, token):
    calls = json.load(sys.stdin)
    http = create_mcp_http_client(headers={"authorization": f"Bearer {token}"})
    async with http, Client(streamable_http_client(url, http_client=http), mode="auto") as client:
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        answers = [await made(client, tool, arguments) for tool, arguments in calls]
        print(json.dumps({"version": client.protocol_version, "tools": tools, "answers": answers}))


asyncio.run(main(*sys.argv[1:]))
