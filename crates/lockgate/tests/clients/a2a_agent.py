"""An agent made with `a2a-sdk`: turns texts around, works in steps, waits until it is cancelled.

Usage: a2a_agent.py ADDRESS_FILE SEEN_FILE. Writes a line for each request that arrives into the second file: method, path,
`A2A-Version`, whether a credential came along, and the text of the message.
"""

import asyncio
import json
import pathlib
import sys

from a2a.helpers.proto_helpers import (
    get_message_text,
    new_task_from_user_message,
    new_text_message,
    new_text_part,
)
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentCardSignature,
    AgentInterface,
    AgentSkill,
)
from a2a_served import listen, serve, whole
from starlette.applications import Starlette

address_file, seen_file = map(pathlib.Path, sys.argv[1:3])
listener, address = listen()
cancelled = {}


class Desk(AgentExecutor):
    async def execute(self, context, event_queue):
        text = get_message_text(context.message)
        if text.startswith("turn "):
            answer = new_text_message(text[5:][::-1], context_id=context.context_id)
            await event_queue.enqueue_event(answer)
            return
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        if text == "wait":
            await cancelled.setdefault(task.id, asyncio.Event()).wait()
            return
        await updater.add_artifact([new_text_part("the level is 7")], name="report")
        await updater.complete()

    async def cancel(self, context, event_queue):
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.cancel()
        cancelled.setdefault(context.task_id, asyncio.Event()).set()


def interface(binding, version, path=""):
    url = f"http://{address}/agents/desk{path}"
    return AgentInterface(url=url, protocol_binding=binding, protocol_version=version)


class Counting:
    """Writes down what arrives, before anything looks at it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, again = await whole(receive)
        headers = dict(scope["headers"])
        line = {
            "method": scope["method"],
            "path": scope["path"],
            "version": headers.get(b"a2a-version", b"").decode(),
            "credential": headers.get(b"authorization", b"").decode(),
            "body": body.decode(),
        }
        with seen_file.open("a") as seen:
            seen.write(json.dumps(line) + "\n")
        return await self.app(scope, again, send)


card = AgentCard(
    name="desk",
    description="Looks after the water",
    version="1",
    supported_interfaces=[
        interface("JSONRPC", "1.0", "/"),
        interface("HTTP+JSON", "1.0"),
        interface("JSONRPC", "0.3", "/"),
        AgentInterface(url="127.0.0.1:1", protocol_binding="GRPC", protocol_version="1.0"),
    ],
    capabilities=AgentCapabilities(streaming=True, push_notifications=True),
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[AgentSkill(id="turn", name="turn", description="Turns texts around", tags=["text"])],
    signatures=[AgentCardSignature(protected="e30", signature="e30")],
)
handler = DefaultRequestHandler(
    agent_executor=Desk(), task_store=InMemoryTaskStore(), agent_card=card
)
app = Starlette(
    routes=[
        *create_agent_card_routes(card, card_url="/agents/desk/.well-known/agent-card.json"),
        *create_jsonrpc_routes(handler, "/agents/desk/", enable_v0_3_compat=True),
        *create_rest_routes(handler, path_prefix="/agents/desk"),
    ]
)
seen_file.touch()
serve(Counting(app), listener, address_file, address)
