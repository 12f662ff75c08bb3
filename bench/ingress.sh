#!/usr/bin/env bash
# Ingress side by side: direct, nginx, lockgate. POST 1 KiB, response 1 KiB, keep-alive.
#
#   bench/ingress.sh [ROUNDS] [SECONDS]     default 5 rounds of 5 s per contender and concurrency
#
# Rounds are interleaved, so that a machine that gets slower or faster does so for all of them.
# Prints medians of requests/s and of the proxy's CPU microseconds per request (wrk, c = 1 and 16) and,
# at a fixed rate and c = 1 and 16, of p50/p99 in microseconds (h2load). Both proxies get as many
# workers as there are cores. The last column compares what each adds to `direct` for latencies.
# Run it when nothing else runs. Installs nginx-light, wrk and nghttp2-client by apt when missing.
# LOCKGATE_BIN names a binary to measure; without it an optimised one is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-5}
seconds=${2:-5}
rate=1000
for pair in nginx:nginx-light wrk:wrk h2load:nghttp2-client curl:curl python3:python3 pgrep:procps; do
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

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
upstream=$(free_port); proxy=$(free_port)
head -c 1024 /dev/zero | tr '\0' a >"$work/body"
body=$(cat "$work/body")

# The upstream: an nginx that answers 1 KiB from memory.
cat >"$work/upstream.conf" <<CONF
worker_processes 1; daemon off; pid $work/upstream.pid; error_log $work/upstream.log;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:$upstream; location / { return 200 "$body"; } } }
CONF
cat >"$work/proxy.conf" <<CONF
worker_processes auto; daemon off; pid $work/proxy.pid; error_log $work/proxy.log;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  upstream up { server 127.0.0.1:$upstream; keepalive 64; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:$proxy; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
CONF
cat >"$work/lockgate.yaml" <<CONF
listen: { ingress: 127.0.0.1:0, egress: 127.0.0.1:0, api: 127.0.0.1:0 }
agents:
  - name: bench
    sticky: { header: x-user }
    protocol: http
    versions:
      - { name: one, endpoint: "http://127.0.0.1:$upstream", test_endpoint: "http://127.0.0.1:$upstream" }
CONF
declare -A pid
nginx -c "$work/upstream.conf" -p "$work" & pids+=($!); pid[direct]=$!
nginx -c "$work/proxy.conf" -p "$work" & pids+=($!); pid[nginx]=$!
"$lockgate" serve --config "$work/lockgate.yaml" --data-dir "$work/state" --token-file "$work/token" >"$work/lockgate.log" 2>&1 &
pids+=($!); pid[lockgate]=$!
for _ in $(seq 200); do [ -e "$work/state/addresses.json" ] && break; sleep 0.1; done
ingress=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["ingress"])' "$work/state/addresses.json")

declare -A url=([direct]="http://127.0.0.1:$upstream/" [nginx]="http://127.0.0.1:$proxy/" [lockgate]="http://$ingress/")
contenders=(direct nginx lockgate)
for who in "${contenders[@]}"; do
  for _ in $(seq 100); do
    curl -fsS -o "$work/answer" -d @"$work/body" "${url[$who]}" 2>/dev/null && break; sleep 0.1
  done
  [ "$(wc -c <"$work/answer")" -eq 1024 ] || { say "$who does not answer 1 KiB"; exit 1; }
done
cat >"$work/post.lua" <<LUA
wrk.method = "POST"
wrk.body = "$body"
wrk.headers["x-user"] = "u-1"
LUA

# CPU time of a process and its workers so far, in ticks of a hundredth of a second.
cpu_ticks() {
  local files=() one
  for one in "$1" $(pgrep -P "$1" || true); do files+=("/proc/$one/stat"); done
  sed 's/.*) //' "${files[@]}" | awk '{ ticks += $12 + $13 } END { print ticks }'
}

for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  for c in 1 16; do
    for who in "${contenders[@]}"; do
      ticks=$(cpu_ticks "${pid[$who]}")
      wrk -t1 -c"$c" -d"${seconds}s" -s "$work/post.lua" "${url[$who]}" >"$work/out"
      ticks=$(($(cpu_ticks "${pid[$who]}") - ticks))
      grep -qE 'Non-2xx|Socket errors' "$work/out" && { say "$who answered errors"; cat "$work/out" >&2; exit 1; }
      awk -v w="$who" -v c="$c" -v us="${ticks}0000" '/^Requests\/sec/ { print "rps", w, c, $2 }
        / requests in / { print "cpu_us", w, c, us / $1 }' "$work/out" >>"$work/results"
      h2load --h1 -t1 -c"$c" --rps="$((rate / c))" -D "$seconds" -d "$work/body" -H 'x-user: u-1' \
        --log-file="$work/h2.log" "${url[$who]}" >"$work/out"
      python3 - "$work/h2.log" "$who" "$c" >>"$work/results" <<'PY'
import sys
log, who, c = sys.argv[1:4]
rows = [line.split("\t") for line in open(log)]
assert all(row[1] == "200" for row in rows), "answers other than 200"
us = sorted(int(row[2]) for row in rows)
for name, q in (("p50_us", 0.5), ("p99_us", 0.99)):
    print(name, who, c, us[min(len(us) - 1, int(q * len(us)))])
PY
      rm -f "$work/h2.log"
    done
  done
done

printf 'date: %s · %s rounds of %s s, interleaved · %s cores · %s\n\n' \
  "$(date -u +%Y-%m-%dT%H:%MZ)" "$rounds" "$seconds" "$(nproc)" "$(nginx -v 2>&1)"
python3 - "$work/results" <<'PY'
import collections, statistics, sys
seen = collections.defaultdict(list)
for line in open(sys.argv[1]):
    what, who, c, value = line.split()
    seen[what, who, c].append(float(value))
print("| | c | direct | nginx | lockgate | lockgate / nginx |\n|---|---|---|---|---|---|")
for what in ("rps", "cpu_us", "p50_us", "p99_us"):
    for c in ("1", "16"):
        row = {who: statistics.median(seen[what, who, c]) for who in ("direct", "nginx", "lockgate")}
        spread = {who: f"{row[who]:.0f} ({min(seen[what, who, c]):.0f}–{max(seen[what, who, c]):.0f})" for who in row}
        base = row["direct"] if what.startswith("p") else 0
        added = {who: row[who] - base for who in ("nginx", "lockgate")}
        ratio = f"{added['lockgate'] / added['nginx']:.2f}" if added["nginx"] > 0 else "–"
        print(f"| {what} | {c} | {spread['direct']} | {spread['nginx']} | {spread['lockgate']} | {ratio} |")
PY
