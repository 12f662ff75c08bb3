"""An agent made with `a2a-sdk` that asks Lockgate who calls it, answers nobody else, and looks up orders for its caller.

Usage: a2a_governed.py ADDRESS_FILE SEEN_FILE LOCKGATE_FILE. The third holds `EGRESS_URL TOKEN` by the time that a message
arrives. Writes a line for each request that arrives into the second: its headers and body.
"""

import contextvars
import hashlib
import json
import pathlib
import sys

import httpx
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a_served import listen, serve, whole
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

address_file, seen_file, lockgate_file = map(pathlib.Path, sys.argv[1:4])
listener, address = listen()
caller = contextvars.ContextVar("caller")
delegation = contextvars.ContextVar("delegation")


def lockgate():
    egress, token = lockgate_file.read_text().split()
    return egress, {"authorization": f"Bearer {token}"}


async def order(number, more):
    egress, headers = lockgate()
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{egress}/http/orders/orders/{number}", headers=headers | more)
    return answer.status_code


class Desk(AgentExecutor):
    async def execute(self, context, event_queue):
        number = get_message_text(context.message).removeprefix("order ")
        told = {
            "caller": caller.get(),
            "for_caller": await order(number, {"lockgate-delegation": delegation.get()}),
            "for_itself": await order(number, {}),
        }
        await event_queue.enqueue_event(new_text_message(json.dumps(told)))

    async def cancel(self, context, event_queue):
        raise NotImplementedError


class Asking:
    """Asks who calls before anything else looks at a request."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        body, again = await whole(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        with seen_file.open("a") as seen:
            seen.write(json.dumps({"headers": headers, "body": body.decode()}) + "\n")
        egress, own = lockgate()
        shown = {
            "caller": headers.get("lockgate-caller", ""),
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{egress}/redeem", headers=own, json=shown)
        if answer.status_code != 200:
            return await PlainTextResponse(answer.text, 401)(scope, receive, send)
        caller.set(answer.json())
        delegation.set(headers.get("lockgate-delegation", ""))
        return await self.app(scope, again, send)


url = f"http://{address}/desk/"
card = AgentCard(
    name="desk",
    description="Looks up orders",
    version="1",
    supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
    capabilities=AgentCapabilities(),
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[AgentSkill(id="order", name="order", description="Looks up an order", tags=["orders"])],
)
handler = DefaultRequestHandler(
    agent_executor=Desk(), task_store=InMemoryTaskStore(), agent_card=card
)
app = Starlette(
    routes=[
        *create_agent_card_routes(card, card_url="/desk/.well-known/agent-card.json"),
        *create_jsonrpc_routes(handler, "/desk/"),
    ]
)
seen_file.touch()
serve(Asking(app), listener, address_file, address)
