"""Starts Lockgate and the servers of tools, calls as agents do, and looks at what came of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from peers import Peers

READY_MAX_S = 90
# Above all that Lockgate itself waits for, on a machine that is busy with other things.
ANSWER_MAX_S = 120
AGENTS = ["support", "billing", "curator", "rogue"]
OWN = ["mail", "payments", "db", "web", "shell", "moved", "vault", "slow"]
CREDENTIAL = "Bearer credential-of-the-tools"
WORKSPACE = "/srv/workspace"


class Missing(Exception):
    """Something that has to be there is not."""

    def __init__(self, what, hint):
        super().__init__(what)
        self.hint = hint


class Answer:
    """What came back for one message."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self):
        return self.body.get("error") if isinstance(self.body, dict) else None

    @property
    def result(self):
        return self.body.get("result") if isinstance(self.body, dict) else None

    def text(self):
        if self.status == 401:
            return "401, " + str(self.body.get("detail", "unauthenticated"))
        if self.error:
            return f"{self.error['code']}, {self.error['message']}"
        if self.result and "content" in self.result:
            return " ".join(part.get("text", "") for part in self.result["content"])
        return json.dumps(self.body)

    def kind(self):
        """done, refused, hidden, unauthenticated, or failed."""
        if self.status == 401:
            return "unauthenticated"
        if self.error:
            return "hidden" if self.error["message"].startswith("Unknown tool") else "failed"
        if self.result is None:
            return "failed"
        if self.result.get("isError"):
            return "refused" if self.text().startswith("Refused by Lockgate") else "failed"
        return "done"


class World:
    def __init__(self, lockgate, policies, node_modules):
        self.lockgate = str(Path(lockgate).resolve())
        self.packs = Path(policies)
        self.modules = self.node_modules(node_modules)
        self.dir = Path(tempfile.mkdtemp(prefix="lockgate-attacks-"))
        self.processes = []
        self.sessions = {}
        self.ids = 0
        self.attempts = 0

    @staticmethod
    def node_modules(given):
        packages = ["@modelcontextprotocol/server-filesystem", "@modelcontextprotocol/server-memory", "supergateway"]
        hint = f"npm install {' '.join(packages)}, and give --node-modules node_modules"
        if not given:
            raise Missing("the servers of npm are not there", hint)
        for package in packages:
            if not (Path(given) / package).is_dir():
                raise Missing(f"{package} is not in {given}", hint)
        return Path(given).resolve()

    def __enter__(self):
        try:
            self.workspace = self.dir / "workspace"
            self.workspace.mkdir()
            self.peers = Peers()
            self.remote = {
                "files": self.bridged("files", "server-filesystem", str(self.workspace)),
                "memory": self.bridged("memory", "server-memory"),
            }
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        if hasattr(self, "peers"):
            self.peers.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, name, command, **more):
        with open(self.dir / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more)
        self.processes.append(process)
        return process

    def ready(self, what, name, look):
        until = time.monotonic() + READY_MAX_S
        while time.monotonic() < until:
            found = look()
            if found:
                return found
            time.sleep(0.05)
        raise Missing(f"{what} did not come up", (self.dir / f"{name}.log").read_text(errors="replace")[-2000:])

    def bridged(self, name, package, *arguments):
        """A server that speaks over pipes, behind a bridge; what reaches it is written down before it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        node = shutil.which("node")
        if not node:
            raise Missing("there is no `node`", "install Node 20 or newer")
        server = self.modules / "@modelcontextprotocol" / package / "dist/index.js"
        seen = self.dir / f"{name}.seen"
        seen.touch()
        command = f"tee -a '{seen}' | '{node}' '{server}' {' '.join(arguments)}"
        bridge = [node, str(self.modules / "supergateway/dist/index.js"), "--stdio", command, "--outputTransport", "streamableHttp"]
        environment = dict(os.environ, MEMORY_FILE_PATH=str(self.dir / "memory.jsonl"))
        self.spawn(name, bridge + ["--stateful", "--port", str(port), "--logLevel", "info"], env=environment)

        def connects():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.ready(f"npm {package}", name, connects)
        return f"http://127.0.0.1:{port}/mcp"

    def start(self):
        """Lockgate with all packs, and a token for each agent."""
        policies = self.dir / "policies"
        policies.mkdir()
        for pack in sorted(self.packs.glob("*/*.yaml")):
            written = pack.read_text().replace(WORKSPACE, str(self.workspace))
            (policies / pack.name).write_text(written)
        for file in sorted(Path(__file__).parent.glob("policies/*.yaml")):
            (policies / file.name).write_text(file.read_text())
        # Nobody is there to be asked.
        config = "approvals: {hold: 1s}\nagents:\n"
        for agent in AGENTS:
            host = f"match: [{{ host: {agent}.example }}]"
            config += f"  - {{ name: {agent}, {host}, versions: [{{ name: v1, endpoint: '{self.peers.url}' }}] }}\n"
        config += "tools:\n"
        urls = {**{tool: f"{self.peers.url}/{tool}/mcp" for tool in OWN}, **self.remote}
        for tool, url in urls.items():
            # Long enough for all calls of a scene to be there before the first is given up: breakers would refuse the rest.
            silence = "timeout: 15s" if tool == "slow" else "timeout: 60s"
            config += f"  - {{ name: {tool}, url: '{url}', {silence}, credential: {{ value: 'env:TOOLS_CREDENTIAL' }} }}\n"
        (self.dir / "lockgate.yaml").write_text(config)
        self.data = self.dir / "data"
        command = [self.lockgate, "serve", "--log", "json", "--config", str(self.dir / "lockgate.yaml"), "--data-dir", str(self.data)]
        command += ["--policies", str(policies), "--token-file", str(self.dir / "token")]
        for port in ["ingress", "egress", "api"]:
            command += [f"--{port}", "127.0.0.1:0"]
        self.server = self.spawn("lockgate", command, env=dict(os.environ, TOOLS_CREDENTIAL=CREDENTIAL))
        addresses = self.data / "addresses.json"

        def listens():
            if self.server.poll() is not None:
                raise Missing("lockgate ended", (self.dir / "lockgate.log").read_text()[-3000:])
            return json.loads(addresses.read_text()) if addresses.exists() else None

        self.addresses = self.ready("lockgate", "lockgate", listens)
        self.tokens = {agent: self.issue(agent) for agent in AGENTS}

        def knows():
            return all(self.send(agent, "mail", {"method": "ping", "id": 0}).status == 200 for agent in AGENTS)

        self.ready("egress", "lockgate", knows)

    def operator(self, *args):
        command = [self.lockgate, *args, "--server", f"http://{self.addresses['api']}", "--token-file", str(self.dir / "token")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise Missing(f"`lockgate {' '.join(args)}` failed", ran.stderr)
        return ran.stdout

    def issue(self, agent):
        issued = self.operator("identity", "issue", agent, "v1", "--expires", "1h", "--reason", "a test", "--output", "json")
        return json.loads(issued)["token"]

    # What an agent sends

    def post(self, tool, body, headers):
        """Bytes as they are."""
        url = f"http://{self.addresses['egress']}/mcp/{tool}"
        fields = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
        request = urllib.request.Request(url, data=body, headers=fields, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_MAX_S) as answer:
                return Answer(answer.status, answer.headers, decoded(answer.headers, answer.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, decoded(error.headers, error.read()))

    def send(self, agent, tool, message, headers=None):
        fields = {"authorization": f"Bearer {self.tokens[agent]}", **(headers or {})}
        return self.post(tool, json.dumps({"jsonrpc": "2.0", **message}).encode(), fields)

    def session(self, agent, tool, capabilities=None):
        """The headers of the session that an agent has with a server over pipes."""
        if tool not in self.remote:
            return {}
        key = (agent, tool)
        if key not in self.sessions:
            params = {"protocolVersion": "2025-06-18", "capabilities": capabilities or {}, "clientInfo": {"name": agent, "version": "1"}}
            opened = self.send(agent, tool, {"method": "initialize", "id": "open", "params": params})
            headers = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
            self.send(agent, tool, {"method": "notifications/initialized"}, headers)
            self.sessions[key] = headers
        return self.sessions[key]

    def call(self, agent, tool, action, arguments, headers=None):
        self.ids += 1
        params = {"name": action, "arguments": arguments}
        fields = {**self.session(agent, tool), **(headers or {})}
        return self.send(agent, tool, {"method": "tools/call", "id": self.ids, "params": params}, fields)

    # What became of it

    def seen(self, tool):
        """Calls that reached a tool's server."""
        if tool not in self.remote:
            return self.peers.seen(tool)
        # A line that is still being written is not there yet.
        lines = (self.dir / f"{tool}.seen").read_text().split("\n")[:-1]
        return sum(1 for line in lines if line.strip() and json.loads(line).get("method") == "tools/call")

    def record(self, seq):
        """One record of the audit log; it is published a moment after the answer."""
        command = [self.lockgate, "audit", "show", str(seq), "--output", "json", "--data-dir", str(self.data)]

        def published():
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            return json.loads(ran.stdout) if ran.returncode == 0 else None

        return self.ready(f"audit record {seq}", "lockgate", published)

    def records(self):
        command = [self.lockgate, "audit", "tail", "-n", "100000", "--output", "json", "--data-dir", str(self.data)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise Missing("the audit log cannot be read", ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def audited(self, rows):
        """Whether the log tells what the agents were told and the servers saw."""
        tools = [*OWN, *self.remote]
        os.killpg(self.server.pid, signal.SIGTERM)
        self.server.wait(ANSWER_MAX_S)
        records = self.records()
        intents = sum(1 for record in records if record["step"] == "intent")
        outcomes = sum(1 for record in records if record["step"] == "outcome")
        refused = [record for record in records if record["action"] == "action.refused"]
        reached = sum(self.seen(tool) for tool in tools)
        leaked = [tool for tool, shown in self.peers.credentials if shown != CREDENTIAL]
        risks = sorted({record["detail"]["risk"] for record in refused if record["detail"].get("risk")})
        # What agents were told to be the record of a refusal is one, and no other is named twice.
        named = [row["record"] for row in rows if row["record"] is not None]
        told_otherwise = len(named) != len(set(named)) or not set(named) <= {record["seq"] for record in refused}
        told = f"{intents} intents, {outcomes} outcomes, {reached} calls at the servers, {len(refused)} refusals"
        agrees = intents == outcomes == reached and not leaked and not told_otherwise
        return {
            "told": told, "agrees": agrees, "intents": intents, "outcomes": outcomes, "reached": reached,
            "refused": len(refused), "risks": risks, "other_credentials_at": leaked, "told_otherwise": told_otherwise,
        }


def decoded(headers, body):
    """A body of JSON, or of the one event in which an answer comes."""
    if "text/event-stream" in (headers.get("content-type") or ""):
        events = [line[5:] for line in body.decode().splitlines() if line.startswith("data:")]
        answers = [json.loads(event) for event in events if event.strip()]
        return next((one for one in answers if "result" in one or "error" in one), {})
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return {"detail": body.decode(errors="replace")}
