"""A client of the `mcp` package: what it sees of a server's tools through Lockgate, as one JSON object.

Usage: mcp_client.py URL TOKEN MODE
"""

import asyncio
import json
import sys

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


def told(result):
    """A result of a call, as the model gets it."""
    text = [part.text for part in result.content if part.type == "text"]
    return {"error": bool(result.is_error), "text": text}


async def refused(call):
    """The error that a call ends with."""
    try:
        return {"result": told(await call)}
    except Exception as error:  # whatever the package makes of it
        return {"refused": str(error)}


async def main(url, token, mode):
    seen = {}
    progress = []

    async def on_progress(done, total, _message):
        progress.append([done, total])

    http = create_mcp_http_client(headers={"authorization": f"Bearer {token}"})
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        seen["version"] = client.protocol_version
        seen["server"] = client.server_info.name if client.server_info else None
        listed = await client.list_tools()
        seen["tools"] = sorted(tool.name for tool in listed.tools)
        seen["echo"] = told(await client.call_tool("echo", {"message": "hello"}))
        seen["sum"] = told(await client.call_tool("get-sum", {"a": 2, "b": 3}))
        seen["denied"] = told(await client.call_tool("get-sum", {"a": 2000, "b": 3}))
        seen["hidden"] = await refused(client.call_tool("get-env", {}))
        if "trigger-long-running-operation" in seen["tools"]:
            long = {"duration": 1, "steps": 4}
            name = "trigger-long-running-operation"
            seen["long"] = told(await client.call_tool(name, long, progress_callback=on_progress))
            seen["progress"] = progress
            with anyio.move_on_after(2) as scope:
                await client.call_tool(name, {"duration": 60, "steps": 2})
            seen["cancelled"] = scope.cancelled_caught
            # It still answers.
            seen["after"] = told(await client.call_tool("echo", {"message": "still here"}))
        resources = await client.list_resources()
        seen["resources"] = len(resources.resources)
        first = resources.resources[0].uri if resources.resources else None
        if first is not None:
            read = await client.read_resource(str(first))
            seen["read"] = len(read.contents)
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
