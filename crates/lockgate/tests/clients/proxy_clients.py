"""Clients of HTTPS as agents have them, behind the proxy that the environment names. Usage: proxy_clients.py BASE OTHER

BASE is what may be reached and OTHER what may not. Prints what came of it as one JSON document.
"""

import json
import sys

import httpx
import openai
import requests

base, other = sys.argv[1:]
told = {
    "requests": requests.get(base + "/requests").json()["path"],
    "httpx": httpx.get(base + "/httpx").json()["path"],
    "openai": [model.id for model in openai.OpenAI(base_url=base + "/v1", api_key="none").models.list()],
}
with requests.Session() as session:
    told["kept_alive"] = [session.get(f"{base}/{n}").json()["path"] for n in range(3)]


def failure(call):
    try:
        return call().status_code
    except Exception as error:
        return f"{type(error).__name__}: {error}"


told["requests_refused"] = failure(lambda: requests.get(other))
told["httpx_refused"] = failure(lambda: httpx.get(other))
print(json.dumps(told))
