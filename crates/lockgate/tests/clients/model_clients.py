"""The `openai` and `anthropic` packages against two base URLs. Usage: model_clients.py OPENAI ANTHROPIC KEY

Prints what they were told as one JSON document, so that a call through Lockgate can be compared with one without it.
"""

import json
import sys

import anthropic
import openai

base_openai, base_anthropic, key = sys.argv[1:]
gpt = openai.OpenAI(base_url=base_openai, api_key=key, max_retries=2)
claude = anthropic.Anthropic(base_url=base_anthropic, api_key=key, max_retries=2)
messages = [{"role": "user", "content": "How many nights is mooring along the towpath free?"}]
told = {}


def error_of(call):
    """How a program sees that a call failed."""
    try:
        call()
        return None
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "message": error.message,
            "type": body.get("type"),
        }


def chat(model, **more):
    return gpt.chat.completions.create(model=model, messages=messages, **more)


def message(model, **more):
    return claude.messages.create(model=model, max_tokens=64, messages=messages, **more)


told["chat"] = chat("gpt-4o").model_dump(mode="json")
told["chat_stream"] = [chunk.model_dump(mode="json") for chunk in chat("gpt-4o", stream=True)]
counted = chat("gpt-4o", stream=True, stream_options={"include_usage": True})
told["chat_counted"] = [chunk.model_dump(mode="json") for chunk in counted]
told["responses"] = gpt.responses.create(model="gpt-4o", input="hi").model_dump(mode="json")
told["embedding"] = gpt.embeddings.create(
    model="text-embedding-3-small", input=["a", "b"], encoding_format="float"
).model_dump(mode="json")
told["models"] = [model.id for model in gpt.models.list()]

told["message"] = message("claude-haiku-4-5").model_dump(mode="json")
with claude.messages.stream(
    model="claude-haiku-4-5", max_tokens=64, messages=messages
) as stream:
    told["message_text"] = list(stream.text_stream)
    told["message_usage"] = stream.get_final_message().usage.model_dump(mode="json")
told["count"] = claude.messages.count_tokens(
    model="claude-haiku-4-5", messages=messages
).input_tokens

# Both are refused: one by the list of models, one by the policy.
told["chat_refused"] = error_of(lambda: chat("gpt-5"))
told["message_refused"] = error_of(lambda: message("claude-opus-4-5"))
told["limited"] = error_of(lambda: gpt.with_options(max_retries=0).chat.completions.create(
    model="limited", messages=messages))

# A stream that is left in its middle.
stream = chat("stalls", stream=True)
told["begun"] = next(iter(stream)).choices[0].delta.content
stream.close()
with claude.messages.stream(model="stalls", max_tokens=64, messages=messages) as stream:
    told["begun_too"] = next(iter(stream.text_stream))

stranger = openai.OpenAI(base_url=base_openai, api_key="sk-own", max_retries=0)
told["stranger"] = error_of(
    lambda: stranger.chat.completions.create(model="gpt-4o", messages=messages)
)
stranger = anthropic.Anthropic(base_url=base_anthropic, api_key="sk-own", max_retries=0)
told["stranger_too"] = error_of(
    lambda: stranger.messages.create(model="c", max_tokens=1, messages=messages)
)
told["elsewhere"] = error_of(lambda: gpt.files.list())

json.dump(told, sys.stdout, sort_keys=True)
