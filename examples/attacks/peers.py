"""Small servers of tools that do what they are asked and count it. Only the standard library.

`/NAME/mcp` is the server of one tool. `/moved/mcp` sends whoever asks on to `/vault/mcp`, `/slow/mcp` never answers, and
`GET /` is the agent that Lockgate has to know.
"""

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def text(said, error=False):
    return {"content": [{"type": "text", "text": said}], "isError": error}


class Database:
    """A real one, in memory."""

    def __init__(self):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.db.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT);"
            "INSERT INTO orders (state) VALUES ('new'), ('new'), ('sent');"
            "CREATE TABLE users (name TEXT, password TEXT);"
            "INSERT INTO users VALUES ('ann', 'correct horse');"
        )

    def run(self, query):
        with self.lock:
            return json.dumps(self.db.execute(query).fetchall())


class Peers:
    """All servers, in one process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []  # (tool, action, arguments)
        self.credentials = set()
        self.database = Database()
        self.release = threading.Event()
        peers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(200, b"well", "text/plain")

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                peers.post(self, body)

            def answer(self, status, body, kind="application/json", **headers):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # All calls of a scene at once.
            request_queue_size = 128

            def handle_error(self, *_):
                """Connections that whoever called has given up are no news."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()

    def seen(self, tool):
        with self.lock:
            return sum(1 for call in self.calls if call[0] == tool)

    def post(self, handler, body):
        tool = handler.path.strip("/").split("/")[0]
        message = json.loads(body)
        with self.lock:
            self.credentials.add((tool, handler.headers.get("authorization")))
        if message.get("method") != "tools/call":
            return self.plain(handler, tool, message)
        params = message["params"]
        with self.lock:
            self.calls.append((tool, params["name"], params.get("arguments", {})))
        if tool == "slow":
            # Until the test is over: Lockgate has to give up first.
            self.release.wait(300)
            return handler.close_connection
        if tool == "moved" and params["arguments"].get("number") != 7:
            return handler.answer(307, b"", location=f"{self.url}/vault/mcp")
        try:
            result = text(self.do(tool, params["name"], params.get("arguments", {})))
        except sqlite3.Error as error:
            result = text(str(error), error=True)
        return handler.answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())

    def plain(self, handler, tool, message):
        if "id" not in message:
            return handler.answer(202, b"")
        names = {"mail": ["send_email"], "payments": ["balance", "refund", "transfer"], "db": ["read_query", "write_query", "list_tables"]}
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names.get(tool, [])]}
        return handler.answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())

    def do(self, tool, action, arguments):
        if tool == "db" and "query" in arguments:
            return self.database.run(arguments["query"])
        return f"done: {tool}/{action} {json.dumps(arguments, ensure_ascii=False)}"
