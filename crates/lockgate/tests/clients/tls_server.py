"""A server of HTTPS on a free port of this machine. Usage: tls_server.py CERTIFICATE KEY ADDRESS SEEN

Writes its port to the file ADDRESS, and every path that it is asked for to the file SEEN. `/slow` never ends.
"""

import http.server
import json
import os
import ssl
import sys
import time

certificate, key, address, seen = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(seen, "a") as file:
            file.write(self.path + "\n")
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"1\r\n.\r\n")
                self.wfile.flush()
                time.sleep(0.02)
        model = {"id": "small", "object": "model", "created": 0, "owned_by": "a test"}
        body = json.dumps({"object": "list", "data": [model], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    # In the connection's own thread: one that says nothing keeps nobody else waiting.
    def finish_request(self, request, client_address):
        with context.wrap_socket(request, server_side=True) as secured:
            self.RequestHandlerClass(secured, client_address, self)

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
with open(address + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(address + ".new", address)
server.serve_forever()
