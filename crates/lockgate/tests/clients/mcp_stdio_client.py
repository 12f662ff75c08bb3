"""A client of the `mcp` package that starts its server itself: what it sees of it, as one JSON object.

Usage: mcp_stdio_client.py SPEC, which is JSON: `command`, `args`, `env`, `mode`, `calls` (of a name and arguments), and
`cancel`, a call that is given up.
"""

import asyncio
import json
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


def told(result):
    """A result of a call, as the model gets it."""
    text = [part.text for part in result.content if part.type == "text"]
    return {"error": bool(result.is_error), "text": text}


async def outcome(call):
    """What a call ends with, errors of the protocol too."""
    try:
        return told(await call)
    except Exception as error:  # whatever the package makes of it
        return {"refused": str(error)}


async def main(spec):
    server = StdioServerParameters(command=spec["command"], args=spec["args"], env=spec["env"])
    seen = {}
    async with Client(stdio_client(server), mode=spec.get("mode", "auto")) as client:
        seen["version"] = client.protocol_version
        listed = await client.list_tools()
        seen["tools"] = sorted(tool.name for tool in listed.tools)
        seen["calls"] = []
        for name, arguments in spec["calls"]:
            seen["calls"].append(await outcome(client.call_tool(name, arguments)))
        if "cancel" in spec:
            with anyio.move_on_after(1) as scope:
                await client.call_tool(*spec["cancel"])
            seen["cancelled"] = scope.cancelled_caught
            # It still answers.
            name, arguments = spec["calls"][0]
            seen["after"] = await outcome(client.call_tool(name, arguments))
    print(json.dumps(seen))


asyncio.run(main(json.loads(sys.argv[1])))
