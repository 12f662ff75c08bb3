"""Clients of HTTPS that know nothing of Lockgate, behind the proxy and with the certificates that the environment names.

Usage: inspected_clients.py BASE. Prints what came of it as one JSON document.
"""

import json
import sys

import httpx
import openai
import requests

base = sys.argv[1]
client = openai.OpenAI(base_url=base + "/v1", api_key="of-the-provider", max_retries=0)
messages = [{"role": "user", "content": "hi"}]


def status(call):
    try:
        return call().status_code
    except openai.APIStatusError as error:
        return error.status_code


with requests.Session() as session:
    told = {
        "requests": [session.get(f"{base}/api/orders/{n}").json()["asked"] for n in (7, 8)],
        "denied": session.get(base + "/api/orders/13").status_code,
        "elsewhere": session.get(base + "/admin").status_code,
    }
told["httpx"] = httpx.get(base + "/api/orders/9", headers={"authorization": "Bearer own"}).json()["asked"]
answer = client.chat.completions.create(model="small", messages=messages)
told["openai"] = answer.choices[0].message.content
told["openai_denied"] = status(lambda: client.chat.completions.create(model="large", messages=messages))
print(json.dumps(told))
