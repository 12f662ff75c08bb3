"""What the agents of tests made with `a2a-sdk` share: reading a request before anything else does, and being served."""

import os
import socket

import uvicorn


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


async def whole(receive):
    """The body of a request, and what hands it on as if nobody had read it."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = False

    async def again():
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def serve(app, listener, address_file, address):
    """Says where it is once it can be asked."""
    draft = address_file.with_suffix(".draft")
    draft.write_text(address)
    os.replace(draft, address_file)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
