"""The `a2a-sdk` client against one base URL: reads the card, sends a message, streamed and not.

Prints the answers as one JSON document.
"""

import asyncio
import json
import sys

from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.types import Role, SendMessageRequest


async def ask(base, streaming):
    client = await create_client(base, client_config=ClientConfig(streaming=streaming))
    message = new_text_message("level the water", context_id="ctx-1", role=Role.ROLE_USER)
    answers = []
    async for event in client.send_message(SendMessageRequest(message=message)):
        answers.append([get_message_text(event.message), event.message.context_id])
    return answers


async def main():
    told = {str(streaming): await ask(sys.argv[1], streaming) for streaming in (False, True)}
    json.dump(told, sys.stdout, sort_keys=True)


asyncio.run(main())
