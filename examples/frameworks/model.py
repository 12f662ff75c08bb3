#!/usr/bin/env python3
"""A model that does as it was told beforehand: an endpoint like OpenAI's chat completions. Only the standard library.

Usage: model.py SCRIPT ADDRESS_FILE

SCRIPT is JSON, a list of `{"tool": NAME, "arguments": {...}}`. Each turn of a conversation asks for the next of these calls;
the last turn says what all of them came to. Frameworks that put a prefix before the names of tools are met by looking for the
offered tool whose name ends like the wanted one; a tool that is not offered is asked for all the same.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def turn(script, request):
    """What the model says next."""
    results = [message for message in request["messages"] if message["role"] == "tool"]
    if len(results) < len(script):
        wanted = script[len(results)]
        offered = [tool["function"]["name"] for tool in request.get("tools") or []]
        name = next((name for name in offered if name.endswith(wanted["tool"])), wanted["tool"])
        function = {"name": name, "arguments": json.dumps(wanted["arguments"])}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{len(results)}", "type": "function", "function": function}]}
    said = [content if isinstance(content, str) else json.dumps(content) for content in (message["content"] for message in results)]
    return {"role": "assistant", "content": "\n".join(f"result {number}: {text}" for number, text in enumerate(said))}


def answer(script, request):
    message = turn(script, request)
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": int(time.time()), "model": request.get("model", "scripted"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def main(script_file, address_file):
    with open(script_file, encoding="utf-8") as file:
        script = json.load(file)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.path.endswith("/chat/completions"):
                self.send_error(404)
                return
            body = json.dumps(answer(script, request)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(address_file, "w", encoding="utf-8") as file:
        file.write("127.0.0.1:%d" % server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
