"""The `openai` package against one base URL: plain, streamed, streamed with usage, and an error.

Prints everything it was told as one JSON document, so that two base URLs can be compared.
"""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0)
messages = [{"role": "user", "content": "How many nights is mooring along the towpath free?"}]
told = {}

answer = client.chat.completions.create(
    model="harbour", messages=messages, extra_headers={"x-user": "u-1"}
)
told["plain"] = answer.model_dump(mode="json")

for name, options in [("stream", None), ("stream_usage", {"include_usage": True})]:
    extra = {"stream_options": options} if options else {}
    stream = client.chat.completions.create(
        model="harbour", messages=messages, stream=True, extra_headers={"x-user": "u-1"}, **extra
    )
    told[name] = [chunk.model_dump(mode="json") for chunk in stream]

try:
    client.chat.completions.create(model="harbour", messages=[])
    told["error"] = None
except openai.BadRequestError as error:
    told["error"] = {"status": error.status_code, "body": error.body}

json.dump(told, sys.stdout, sort_keys=True)
