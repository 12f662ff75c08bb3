"""The `a2a-sdk` client of an agent that hands over what it may do itself.

Usage: a2a_handover.py EGRESS_URL TOKEN TEXT. Prints what the other agent answers.
"""

import asyncio
import json
import sys

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.types import Role, SendMessageRequest

egress, token, text = sys.argv[1:4]


async def main():
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http:
        scope = {"to": "desk", "scope": ["orders/look_up"], "ttl_s": 60}
        given = await http.post(f"{egress}/delegate", json=scope)
        given.raise_for_status()
        http.headers["lockgate-handover"] = given.json()["delegation"]
        card = await A2ACardResolver(http, f"{egress}/a2a/desk").get_agent_card()
        client = ClientFactory(ClientConfig(streaming=False, httpx_client=http)).create(card)
        request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
        async for event in client.send_message(request):
            print(get_message_text(event.message))


asyncio.run(main())
