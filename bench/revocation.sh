#!/usr/bin/env bash
# How soon a token that is revoked and a version that is stopped by order can do nothing any more (a security event:
# bench/security-event.sh).
#
#   bench/revocation.sh [ROUNDS]     default 100 rounds of each
#
# Four callers call a tool one after the other, as fast as they can. In the middle the token is revoked, or its version
# stopped, through the API. Prints, in milliseconds: from the request for it to its answer, from that request to the last call
# that was begun and still done, and how many calls were done that began after the answer: there must be none.
# LOCKGATE_BIN names a binary to measure; without it an optimised one is built. Run it when nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-100}
command -v python3 >/dev/null || apt_install python3
lockgate=${LOCKGATE_BIN:-}
if [ -z "$lockgate" ]; then
  need_compiler
  say "building ..."
  cargo build --release --locked --quiet -p lockgate
  lockgate="$CARGO_TARGET_DIR/release/lockgate"
fi

work=$(mktemp -d)
pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT
mkdir "$work/policies"
cat >"$work/policies/desk.yaml" <<RULES
tools: {desk: {actions: {read: {arguments: {}}}}}
rules:
  - {id: reads, tool: desk, action: read, effect: allow}
RULES
cat >"$work/lockgate.yaml" <<CONF
listen: { ingress: 127.0.0.1:0, egress: 127.0.0.1:0, api: 127.0.0.1:0 }
agents:
  - name: bench
    versions: [{ name: one, endpoint: "http://127.0.0.1:9" }]
tools: [{ name: desk, protocol: external }]
CONF
"$lockgate" serve --config "$work/lockgate.yaml" --data-dir "$work/state" --policies "$work/policies" \
  --token-file "$work/token" >"$work/log" 2>&1 & pids+=($!)
for _ in $(seq 200); do [ -e "$work/state/addresses.json" ] && [ -e "$work/token" ] && break; sleep 0.1; done

python3 - "$work" "$rounds" <<'PY'
import http.client, json, sys, threading, time

work, rounds = sys.argv[1], int(sys.argv[2])
at = json.load(open(f"{work}/state/addresses.json"))
admin = open(f"{work}/token").read().strip()

def api(method, path, body=None):
    one = http.client.HTTPConnection(at["api"])
    headers = {"authorization": f"Bearer {admin}", "content-type": "application/json",
               "idempotency-key": str(time.time_ns())}
    one.request(method, f"/api/v1/{path}", json.dumps(body) if body is not None else None, headers)
    answer = one.getresponse()
    text = answer.read()
    assert answer.status < 300, (method, path, answer.status, text)
    return json.loads(text) if text else None

for _ in range(200):
    try:
        if api("GET", "agents/bench")["stable"]: break
    except (OSError, AssertionError): pass
    time.sleep(0.1)

CALL = json.dumps({"tool": "desk", "action": "read", "arguments": {}})

def call(one, token):
    """Whether it may be done."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    one.request("POST", "/decide", CALL, headers)
    answer = one.getresponse()
    said = json.loads(answer.read())
    if said.get("decision") != "allow":
        return False
    one.request("POST", f"/decide/{said['record']}", '{"outcome": "ok"}', headers)
    one.getresponse().read()
    return True

def round_of(begin, end):
    token = api("POST", "agents/bench/versions/one/identities", {"reason": "bench"})
    done, stop = [], threading.Event()
    def caller():
        one = http.client.HTTPConnection(at["egress"])
        while not stop.is_set():
            began = time.monotonic()
            try:
                if call(one, token["token"]):
                    done.append(began)
            except (OSError, http.client.HTTPException):
                # Whoever is refused is hung up on.
                one = http.client.HTTPConnection(at["egress"])
    callers = [threading.Thread(target=caller) for _ in range(4)]
    for one in callers: one.start()
    while len(done) < 20: time.sleep(0.005)
    asked = time.monotonic()
    made = begin(token)
    answered = time.monotonic()
    time.sleep(0.15)
    stop.set()
    for one in callers: one.join()
    end(made)
    return (answered - asked) * 1e3, (max(done) - asked) * 1e3, sum(one > answered for one in done)

def revoke(token): return api("DELETE", f"identities/{token['id']}?reason=bench")
def order(_): return api("POST", "quarantines", {"agent": "bench", "version": "one", "reason": "bench"})
def lift(made): api("DELETE", f"quarantines/{made['id']}?reason=bench")

print("| | request to answer p50 / p99 / most | request to the last call that was done p50 / p99 / most | done after the answer |")
print("|---|---|---|---|")
for what, begin, end in [("token revoked", revoke, lambda _: None), ("version stopped", order, lift)]:
    seen = [round_of(begin, end) for _ in range(rounds)]
    def told(column):
        all = sorted(one[column] for one in seen)
        return " / ".join(f"{value:.1f}" for value in (all[len(all) // 2], all[int(len(all) * 0.99)], all[-1]))
    print(f"| {what}, {rounds} times | {told(0)} | {told(1)} | {sum(one[2] for one in seen)} |")
PY
