#!/usr/bin/env bash
# What governing a tool call costs: MCP `tools/call` straight to a server, and through Lockgate with both durabilities.
#
#   bench/egress.sh [ROUNDS] [SECONDS]     default 5 rounds of 5 s per contender and concurrency
#
# The server is an nginx that answers 1 KiB from memory. Each call through Lockgate is authenticated, decided by the rules of
# a directory, recorded durably before it is forwarded and again after it. Rounds are interleaved. Prints p50 and p99 in
# microseconds at 200 calls/s (h2load, c = 1 and 16) and what Lockgate adds.
# Run it when nothing else runs. Installs nginx-light and nghttp2-client by apt when missing.
# LOCKGATE_BIN names a binary to measure; without it an optimised one is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-5}
seconds=${2:-5}
rate=200
for pair in nginx:nginx-light h2load:nghttp2-client curl:curl python3:python3; do
  command -v "${pair%%:*}" >/dev/null || apt_install "${pair##*:}"
done
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

server=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
text=$(head -c 900 /dev/zero | tr '\0' a)
answer="{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$text\"}],\"isError\":false}}"
cat >"$work/server.conf" <<CONF
worker_processes 1; daemon off; pid $work/server.pid; error_log $work/server.log;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:$server; location / { default_type application/json; return 200 '$answer'; } } }
CONF
nginx -c "$work/server.conf" -p "$work" & pids+=($!)
mkdir "$work/policies"
cat >"$work/policies/desk.yaml" <<RULES
tools: {desk: {actions: {read: {arguments: {path: path, note: text}}}}}
rules:
  - {id: reads, tool: desk, action: read, effect: allow, when: {path.ancestors: {contains: /srv/data}}}
  - {id: secrets, tool: desk, action: read, effect: deny, when: {path.hidden: {is: true}}}
RULES
note=$(head -c 800 /dev/zero | tr '\0' b)
echo "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read\",\"arguments\":{\"path\":\"/srv/data/a\",\"note\":\"$note\"}}}" >"$work/body"

declare -A url=([direct]="http://127.0.0.1:$server/mcp") token=([direct]=none)
for durability in process power; do
  cat >"$work/$durability.yaml" <<CONF
listen: { ingress: 127.0.0.1:0, egress: 127.0.0.1:0, api: 127.0.0.1:0 }
audit: { durability: $durability }
agents:
  - name: bench
    versions: [{ name: one, endpoint: "http://127.0.0.1:$server" }]
tools: [{ name: desk, url: "http://127.0.0.1:$server/mcp" }]
CONF
  state="$work/$durability"
  "$lockgate" serve --config "$work/$durability.yaml" --data-dir "$state" --policies "$work/policies" \
    --token-file "$state.token" >"$state.log" 2>&1 & pids+=($!)
  for _ in $(seq 200); do [ -e "$state/addresses.json" ] && break; sleep 0.1; done
  at() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$state/addresses.json" "$1"; }
  url[$durability]="http://$(at egress)/mcp/desk"
  token[$durability]=$("$lockgate" identity issue bench one --reason bench --server "http://$(at api)" --token-file "$state.token" 2>/dev/null)
done
contenders=(direct process power)
call() { curl -fsS -d @"$work/body" -H 'content-type: application/json' -H "authorization: Bearer ${token[$1]}" "${url[$1]}" 2>/dev/null; }
for who in "${contenders[@]}"; do
  for _ in $(seq 100); do call "$who" | grep -q '"isError":false' && break; sleep 0.1; done
  call "$who" | grep -q '"isError":false' || { say "$who does not answer"; call "$who" >&2; exit 1; }
done

for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  for c in 1 16; do
    for who in "${contenders[@]}"; do
      per_client=$(((rate + c - 1) / c))
      h2load --h1 -t1 -c"$c" --rps="$per_client" -D "$seconds" -d "$work/body" -H 'content-type: application/json' \
        -H "authorization: Bearer ${token[$who]}" --log-file="$work/h2.log" "${url[$who]}" >"$work/out"
      python3 - "$work/h2.log" "$who" "$c" >>"$work/results" <<'PY'
import sys
log, who, c = sys.argv[1:4]
rows = [line.split("\t") for line in open(log)]
assert all(row[1] == "200" for row in rows), "answers other than 200"
us = sorted(int(row[2]) for row in rows)
for name, q in (("p50", 0.5), ("p99", 0.99)):
    print(name, who, c, us[min(len(us) - 1, int(q * len(us)))])
PY
      rm -f "$work/h2.log"
    done
  done
done

printf 'date: %s · %s rounds of %s s, interleaved · %s cores · %s calls/s\n\n' \
  "$(date -u +%Y-%m-%dT%H:%MZ)" "$rounds" "$seconds" "$(nproc)" "$rate"
python3 - "$work/results" <<'PY'
import collections, statistics, sys
seen = collections.defaultdict(list)
for line in open(sys.argv[1]):
    what, who, c, value = line.split()
    seen[what, who, c].append(float(value))
print("| µs | c | direct | `process` | `power` | added by `process` | added by `power` |\n|---|---|---|---|---|---|---|")
for what in ("p50", "p99"):
    for c in ("1", "16"):
        row = {who: statistics.median(seen[what, who, c]) for who in ("direct", "process", "power")}
        spread = {who: f"{row[who]:.0f} ({min(seen[what, who, c]):.0f}–{max(seen[what, who, c]):.0f})" for who in row}
        added = [f"{row[who] - row['direct']:.0f}" for who in ("process", "power")]
        print(f"| {what} | {c} | {spread['direct']} | {spread['process']} | {spread['power']} | {added[0]} | {added[1]} |")
PY
