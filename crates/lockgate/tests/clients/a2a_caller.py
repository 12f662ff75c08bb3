"""The `a2a-sdk` client of an agent, in each binding and version that its card names.

Usage: a2a_caller.py BASE_URL TOKEN. With the token `none` it calls without Lockgate, and leaves out what Lockgate refuses.
Prints what it was told as one JSON document; ids that are made up are left out.
"""

import asyncio
import json
import sys

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    TaskPushNotificationConfig,
    TaskState,
)

base, token = sys.argv[1:3]


def message(text, **more):
    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER), **more)


def shown(event):
    kind = event.WhichOneof("payload")
    if kind == "message":
        return [kind, get_message_text(event.message)]
    if kind == "artifact_update":
        return [kind, event.artifact_update.artifact.parts[0].text]
    return [kind, TaskState.Name(getattr(event, kind).status.state)]


async def all_of(client, request):
    return [event async for event in client.send_message(request)]


async def refused(call):
    try:
        await call
    except Exception as error:
        return {"class": type(error).__name__, "text": str(error), "data": getattr(error, "data", None)}
    return None


def task_of(event):
    return event.task.id or event.status_update.task_id or event.artifact_update.task_id


async def wait_and_cancel(client):
    """Leaves a task waiting, and cancels it from outside its stream."""
    stream = client.send_message(message("wait"))
    async for event in stream:
        if "TASK_STATE_WORKING" in shown(event):
            break
    task = await client.cancel_task(CancelTaskRequest(id=task_of(event)))
    told = [shown(event) async for event in stream]
    return TaskState.Name(task.status.state), told[-1:]


async def leave(client):
    """Leaves a stream while it goes on."""
    stream = client.send_message(message("wait"))
    async for event in stream:
        if "TASK_STATE_WORKING" in shown(event):
            break
    await stream.aclose()
    return task_of(event)


async def told_by(card, interface, http):
    only = AgentCard()
    only.CopyFrom(card)
    del only.supported_interfaces[:]
    only.supported_interfaces.append(interface)
    clients = [
        ClientFactory(
            ClientConfig(
                streaming=streaming,
                httpx_client=http,
                supported_protocol_bindings=[interface.protocol_binding],
            )
        ).create(only)
        for streaming in (False, True)
    ]
    whole, stream = clients
    told = {"whole": [shown(event) for event in await all_of(whole, message("turn abc"))]}
    events = await all_of(stream, message("work"))
    told["stream"] = [shown(event) for event in events]
    task = await whole.get_task(GetTaskRequest(id=task_of(events[0])))
    told["task"] = [TaskState.Name(task.status.state), task.artifacts[0].parts[0].text]
    told["cancelled"] = await wait_and_cancel(stream)
    missing = whole.get_task(GetTaskRequest(id="none"))
    told["missing"] = (await refused(missing))["class"]
    if token == "none":
        return told
    push = TaskPushNotificationConfig(url="http://169.254.169.254/latest")
    told["left"] = bool(await leave(stream))
    told["refused"] = await refused(all_of(whole, message("Refund me")))
    told["refused_stream"] = await refused(all_of(stream, message("Refund me")))
    inline = SendMessageConfiguration(task_push_notification_config=push)
    told["push"] = await refused(all_of(whole, message("turn abc", configuration=inline)))
    push.task_id = task.id
    told["push_config"] = await refused(whole.create_task_push_notification_config(push))
    if interface.protocol_version == "1.0":
        told["hidden"] = await refused(whole.list_tasks(ListTasksRequest()))
    return told


async def main():
    headers = {} if token == "none" else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as http:
        card = await A2ACardResolver(http, base).get_agent_card()
        told = {
            "interfaces": [[one.url, one.protocol_binding, one.protocol_version] for one in card.supported_interfaces],
            "signatures": len(card.signatures),
            "push": card.capabilities.push_notifications,
            "skills": [skill.id for skill in card.skills],
        }
        for one in card.supported_interfaces:
            if one.protocol_binding != "GRPC":
                name = f"{one.protocol_binding} {one.protocol_version}"
                told[name] = await told_by(card, one, http)
        async with httpx.AsyncClient(timeout=60) as nobody:
            answer = await nobody.get(f"{base}/.well-known/agent-card.json")
            told["nobody"] = answer.status_code
    json.dump(told, sys.stdout, sort_keys=True)


asyncio.run(main())
