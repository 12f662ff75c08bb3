"""A small agent made with `a2a-sdk`: answers each message with its text, upside down.

Usage: a2a_server.py ADDRESS_FILE PUBLIC_URL_FILE. Its card names the URL in the second file, once
there is one: the address at which its users reach it.
"""

import os
import pathlib
import socket
import sys
import uuid

import uvicorn
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

address_file, public_url_file = map(pathlib.Path, sys.argv[1:3])
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
address = f"127.0.0.1:{listener.getsockname()[1]}"


class Reverser(AgentExecutor):
    async def execute(self, context, event_queue):
        text = get_message_text(context.message)
        answer = new_text_message(text[::-1], context_id=context.message.context_id)
        # One message always gives the same bytes.
        answer.message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
        await event_queue.enqueue_event(answer)

    async def cancel(self, context, event_queue):
        raise NotImplementedError("answers are given at once")


def card(url):
    return AgentCard(
        name="reverser",
        description="Reverses text",
        version="1",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="reverse", name="reverse", description="Reverses", tags=["text"])],
    )


async def as_users_see_it(_):
    url = public_url_file.read_text() if public_url_file.exists() else f"http://{address}/"
    return card(url)


async def healthy(_):
    return PlainTextResponse("ok")


own = card(f"http://{address}/")
handler = DefaultRequestHandler(
    agent_executor=Reverser(), task_store=InMemoryTaskStore(), agent_card=own
)
app = Starlette(
    routes=[
        Route("/healthz", healthy),
        *create_agent_card_routes(own, card_modifier=as_users_see_it),
        *create_jsonrpc_routes(handler, "/"),
    ]
)
draft = address_file.with_suffix(".draft")
draft.write_text(address)
os.replace(draft, address_file)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
