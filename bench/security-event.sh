#!/usr/bin/env bash
# From a security event to zero traffic: p50, p95, p99 and the longest, over N releases of which each
# gives half of steady traffic to a candidate.
#
#   bench/security-event.sh [N]     default 1000, which takes some minutes
#
# Exits with 1 when a candidate got a request that was begun after the event was acknowledged.
# Measures the optimised build when there is one, else the unoptimised one, and says which.
# LOCKGATE_BIN names another binary. What drives it is built unoptimised, and costs the server CPU:
# run it when nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

releases=${1:-1000}
binary=${LOCKGATE_BIN:-}
build="given by LOCKGATE_BIN"
if [ -z "$binary" ]; then
  binary="$CARGO_TARGET_DIR/release/lockgate"
  build=optimised
fi
if [ ! -x "$binary" ]; then
  need_compiler
  cargo build --locked --quiet -p lockgate
  binary="$CARGO_TARGET_DIR/debug/lockgate"
  build="debug, not optimised"
fi
cargo build --locked --quiet -p lockgate --example security_event
printf 'date: %s · %s cores · load %s · build: %s\n' "$(date -u +%Y-%m-%dT%H:%MZ)" "$(nproc)" \
  "$(cut -d' ' -f1 /proc/loadavg)" "$build"
"$CARGO_TARGET_DIR/debug/examples/security_event" "$binary" "$releases"
