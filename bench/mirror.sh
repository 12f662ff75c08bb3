#!/usr/bin/env bash
# What stage 0 costs users: the same requests with mirroring off, on, and on to a candidate that hangs.
#
#   bench/mirror.sh [ROUNDS] [SECONDS]     default 10 rounds of 5 s each
#
# One server, three agents, each with a release in the test environment; rounds are interleaved. Requests at
# a fixed rate (h2load), POST 1 KiB, answer 1 KiB. Prints medians (least-most) of p50 and p99 in microseconds,
# of their ratios round by round, and how many copies were sent. Run it when nothing else runs. Installs nginx-light and nghttp2-client by apt
# when missing. LOCKGATE_BIN names a binary to measure; without it an optimised one is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-10}
seconds=${2:-5}
rate=400
for pair in nginx:nginx-light h2load:nghttp2-client curl:curl python3:python3; do
  command -v "${pair%%:*}" >/dev/null || apt_install "${pair##*:}"
done
lockgate=${LOCKGATE_BIN:-}
if [ -z "$lockgate" ]; then
  need_compiler
  say "building ..."
  cargo build --profile quick --locked --quiet -p lockgate
  lockgate="$CARGO_TARGET_DIR/quick/lockgate"
fi

work=$(mktemp -d)
pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
stable=$(free_port); candidate=$(free_port); hangs=$(free_port)
head -c 1024 /dev/zero | tr '\0' a >"$work/body"
body=$(cat "$work/body")
cat >"$work/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:$stable; location / { return 200 "$body"; } }
  server { listen 127.0.0.1:$candidate; location / { return 200 "$body"; } } }
CONF
nginx -c "$work/nginx.conf" -p "$work" & pids+=($!)
python3 - "$hangs" <<'PY' & pids+=($!)
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
kept = []
while True:
    kept.append(listener.accept()[0])
PY
agent() { # agent NAME MIRROR CANDIDATE_PORT
  cat <<CONF
  - name: $1
    match: [{ path: /$1 }]
    protocol: http
    health: off
    plan: $1
    versions:
      - { name: one, endpoint: "http://127.0.0.1:$stable" }
      - { name: two, endpoint: "http://127.0.0.1:$3", side_effects: none }
CONF
}
plan() { # plan NAME MIRROR
  cat <<CONF
  - name: $1
    stages:
      - { weight: 0, duration: 12h, mirror: $2, gates: {} }
      - { weight: 10, duration: 1h }
      - { weight: 50, duration: 1h }
      - { weight: 100 }
    triggers:
      error_rate: { off_because: it is to stay where it is }
      errors_vs_baseline: { off_because: it is to stay where it is }
      p95_ms: { off_because: it is to stay where it is }
CONF
}
{
  printf 'listen: { ingress: 127.0.0.1:0, egress: 127.0.0.1:0, api: 127.0.0.1:0 }\nagents:\n'
  agent off 0 "$candidate"; agent on 10 "$candidate"; agent hangs 10 "$hangs"
  printf 'plans:\n'
  plan off 0; plan on 10; plan hangs 10
} >"$work/lockgate.yaml"
"$lockgate" serve --config "$work/lockgate.yaml" --data-dir "$work/state" --token-file "$work/token" >"$work/lockgate.log" 2>&1 &
pids+=($!)
for _ in $(seq 200); do [ -e "$work/state/addresses.json" ] && [ -s "$work/token" ] && break; sleep 0.1; done
address() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/state/addresses.json" "$1"; }
LOCKGATE_TOKEN=$(cat "$work/token"); LOCKGATE_SERVER="http://$(address api)"; ingress=$(address ingress)
export LOCKGATE_TOKEN LOCKGATE_SERVER
contenders=(off on hangs)
for who in "${contenders[@]}"; do
  for _ in $(seq 100); do
    curl -fsS -o "$work/answer" -d @"$work/body" "http://$ingress/$who" 2>/dev/null && break; sleep 0.1
  done
  "$lockgate" rollout start "$who" two --reason "a bench" >/dev/null
done
test_of() { "$lockgate" rollout status --agent "$1" --output json | python3 -c 'import json, sys; t = json.load(sys.stdin)["test"] or {}; print(t.get("mirrored", 0), t.get("mirror_skipped", 0))'; }
sleep 2

for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  # Each begins a round in turn, so that none always follows the same one.
  for turn in 0 1 2; do
    who=${contenders[$(((round + turn) % 3))]}
    h2load --h1 -t1 -c4 --rps="$((rate / 4))" -D "$seconds" -d "$work/body" \
      --log-file="$work/h2.log" "http://$ingress/$who" >"$work/out"
    python3 - "$work/h2.log" "$who" >>"$work/results" <<'PY'
import sys
log, who = sys.argv[1:3]
rows = [line.split("\t") for line in open(log)]
assert all(row[1] == "200" for row in rows), "answers other than 200"
us = sorted(int(row[2]) for row in rows)
for name, q in (("p50_us", 0.5), ("p99_us", 0.99)):
    print(name, who, us[min(len(us) - 1, int(q * len(us)))])
PY
    rm -f "$work/h2.log"
  done
done
sleep 2
printf 'date: %s · %s rounds of %s s, interleaved, %s requests/s · %s cores · load %s\n\n' \
  "$(date -u +%F)" "$rounds" "$seconds" "$rate" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
python3 - "$work/results" <<'PY'
import statistics, sys
seen = {}
for line in open(sys.argv[1]):
    name, who, value = line.split()
    seen.setdefault((name, who), []).append(int(value))
print("| | off | on | on, hangs | on / off | hangs / off |\n|---|---|---|---|---|---|")
for name in ("p50_us", "p99_us"):
    medians = {who: statistics.median(seen[name, who]) for who in ("off", "on", "hangs")}
    cells = [f"{medians[who]:.0f} ({min(seen[name, who])}–{max(seen[name, who])})" for who in medians]
    def ratio(who):
        pairs = [a / b for a, b in zip(seen[name, who], seen[name, "off"])]
        return f"{statistics.median(pairs):.3f} ({min(pairs):.2f}–{max(pairs):.2f})"
    ratios = [ratio(who) for who in ("on", "hangs")]
    print("|", " | ".join([name, *cells, *ratios]), "|")
PY
for who in "${contenders[@]}"; do printf '%s: copies sent and skipped %s\n' "$who" "$(test_of "$who")"; done
