"""A server of the `mcp` package, which speaks 2026-07-28. Usage: mcp_server.py ADDRESS_FILE, or mcp_server.py stdio"""

import socket
import sys

import anyio
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("python")


@server.tool()
def echo(message: str) -> str:
    """Says it again."""
    return f"Echo: {message}"


@server.tool(name="get-sum")
def get_sum(a: int, b: int) -> str:
    """Adds."""
    return f"The sum of {a} and {b} is {a + b}."


@server.tool(name="get-env")
def get_env() -> str:
    """What nobody should see."""
    return "secret"


@server.tool(name="trigger-long-running-operation")
async def long(duration: float, steps: int, ctx: Context) -> str:
    """Takes its time, and says how far it is."""
    for step in range(steps):
        await anyio.sleep(duration / steps)
        await ctx.report_progress(step + 1, steps)
    return f"Long running operation completed. Duration: {int(duration)} seconds, Steps: {steps}."


@server.resource("note://first")
def note() -> str:
    """A note."""
    return "a note"


def main(address_file):
    if address_file == "stdio":
        server.run(transport="stdio")
        return
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = server.streamable_http_app()
    with open(address_file, "w", encoding="utf-8") as file:
        file.write("127.0.0.1:%d" % listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


main(sys.argv[1])
