#!/usr/bin/env bash
# How fast events are imported and reported, beside rows put into SQLite by Python's own module from the same file.
#
#   bench/value.sh [EVENTS]     default 1000000 surveys as CSV
#
# One server on the embedded store. Prints events a second, the largest memory of the command and of the server in MiB, the time of a
# report over all of them, and what the database weighs. The peer reads the file once and commits every thousand rows to disk, with a unique
# key and the row's text; lockgate reads it twice (to look first), checks every event, and sends it over HTTP.
# LOCKGATE_BIN names a binary to measure; without it an optimised one is built. Run it when nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

events=${1:-1000000}
command -v python3 >/dev/null || apt_install python3
lockgate=${LOCKGATE_BIN:-}
if [ -z "$lockgate" ]; then
  need_compiler
  say "building ..."
  cargo build --release --locked --quiet -p lockgate
  lockgate="$CARGO_TARGET_DIR/release/lockgate"
fi
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

cat >"$work/lockgate.yaml" <<YAML
data_dir: $work/data
listen: { ingress: "127.0.0.1:0", api: "127.0.0.1:0" }
agents:
  - name: support
    match: [{ path: / }]
    versions: [{ name: v1, endpoint: "http://127.0.0.1:9" }]
YAML
"$lockgate" serve --config "$work/lockgate.yaml" --token-file "$work/token" >"$work/log" 2>&1 &
server=$!

python3 - "$lockgate" "$work" "$events" "$server" <<'PY'
import json, os, random, resource, sqlite3, subprocess, sys, time

lockgate, work, events, server = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
addresses = os.path.join(work, "data", "addresses.json")
for _ in range(600):
    if os.path.exists(addresses) and os.path.exists(os.path.join(work, "token")): break
    time.sleep(0.1)
else:
    sys.exit(open(os.path.join(work, "log")).read())
api = "http://" + json.load(open(addresses))["api"]
where = ["--server", api, "--token-file", os.path.join(work, "token")]

dice = random.Random(1)
path = os.path.join(work, "study.csv")
with open(path, "w") as out:
    out.write("key,at,kind,score,agent,source\n")
    for n in range(events):
        at = 1_767_225_600 + dice.randrange(330 * 86_400)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        out.write(f"study-{n},{stamp},survey,{dice.randrange(11)},support,study of the year\n")

def largest_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"): return int(line.split()[1]) / 1024

def weighs():
    data = os.path.join(work, "data")
    return sum(os.path.getsize(os.path.join(data, f)) for f in os.listdir(data) if f.startswith("state.db")) / 2**20

before, began = weighs(), time.monotonic()
done = subprocess.run([lockgate, "import", path, *where], stdout=subprocess.DEVNULL, stderr=open(os.path.join(work, "progress"), "w"))
if done.returncode: sys.exit(open(os.path.join(work, "progress")).read()[-2000:])
took = time.monotonic() - began
command = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"lockgate import: {events / took:,.0f} events/s ({took:.1f} s), command {command:.0f} MiB, server {largest_mib(server):.0f} MiB, database {weighs() - before:.0f} MiB")

times = []
for _ in range(5):
    began = time.monotonic()
    told = subprocess.run([lockgate, "value", "report", "--agent", "support", "--from", "2026-01-01", "--to", "2026-12-31", "--output", "json", *where],
                          check=True, capture_output=True, text=True).stdout
    times.append(time.monotonic() - began)
nps = next(one for one in json.loads(told)["measures"] if one["id"] == "nps")
assert nps["n"] == events, nps
times.sort()
print(f"report over {events:,} surveys: {times[2] * 1e3:.0f} ms ({times[0] * 1e3:.0f}–{times[-1] * 1e3:.0f}), the command included")

began = time.monotonic()
db = sqlite3.connect(os.path.join(work, "peer.db"), isolation_level=None)
db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE event (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, body TEXT NOT NULL);")
import csv
with open(path, newline="") as lines:
    batch = []
    def flush():
        db.execute("BEGIN"); db.executemany("INSERT INTO event (key, body) VALUES (?, ?)", batch); db.execute("COMMIT"); batch.clear()
    for row in csv.DictReader(lines):
        batch.append((row["key"], json.dumps(row)))
        if len(batch) == 1000: flush()
    if batch: flush()
peer = time.monotonic() - began
print(f"Python csv and sqlite3: {events / peer:,.0f} events/s ({peer:.1f} s); lockgate / peer {peer / took:.2f}")
PY
