#!/usr/bin/env bash
# How long it takes to say how ready a repository is, and how much memory, beside PyPI zizmor and agentready on the same tree.
#
#   bench/assess.sh [ROUNDS] [FILES...]     default 5 rounds of 5000 and 100000 files
#
# The trees are drawn from a fixed seed and committed: workflows, packages in four languages with tests, manifests of
# Kubernetes, documents, pictures. Rounds are interleaved. Prints medians (least-most) of seconds and of the largest memory in MiB, of
# lockgate on the checkout and on its revision, zizmor and agentready. They do different work: zizmor reads workflows alone.
# LOCKGATE_BIN names a binary to measure; without it an optimised one is built. Run it when nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-5}
shift || true
command -v python3 >/dev/null || apt_install python3
python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv
command -v git >/dev/null || apt_install git
lockgate=${LOCKGATE_BIN:-}
if [ -z "$lockgate" ]; then
  need_compiler
  say "building ..."
  cargo build --release --locked --quiet -p lockgate
  lockgate="$CARGO_TARGET_DIR/release/lockgate"
fi
peers="$CACHE_DIR/assess-peers"
if [ ! -e "$peers/ready" ]; then
  say "installing zizmor and agentready into $peers"
  rm -rf "$peers"
  for one in zizmor agentready; do python3 -m venv "$peers/$one" </dev/null; done
  pip() { "$peers/$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}" </dev/null >&2; }
  pip zizmor zizmor==1.32.0
  # It asks for a newer Python than Debian's, and runs on it. What it needs is looked for by the one that is there.
  pip agentready --no-deps --ignore-requires-python agentready==2.52.3
  "$peers/agentready/bin/python" -c 'import importlib.metadata as m
print("\n".join(r for r in m.requires("agentready") if "extra ==" not in r))' >"$peers/needed"
  pip agentready -r "$peers/needed"
  touch "$peers/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$lockgate" "$peers" "$work" "$rounds" "${@:-5000 100000}" <<'PY'
import os, random, statistics, subprocess, sys, time

lockgate, peers, work, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sizes = [int(n) for arg in sys.argv[5:] for n in arg.split()]
PATIENCE = 900

WORKFLOW = """on: {{pull_request: , push: {{branches: [main]}}}}
permissions: {{contents: read}}
jobs:
  test:
    runs-on: ubuntu-latest
    strategy: {{matrix: {{version: [1, 2, 3]}}}}
    steps:
      - uses: actions/checkout@v4
      - run: |
          make -C services/s{n} lint
          cargo test --locked
          npm ci && npm test
  scan:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: gitleaks detect && trivy fs --exit-code 1 .
"""

def text_of(dice, name):
    words = ["return", "value", "if", "else", "load", "store", "x", "y", "total", "count", "None", "self"]
    mark = {"py": "#", "rs": "//", "go": "//", "ts": "//", "md": "", "yaml": "#"}.get(name.rsplit(".", 1)[-1], "")
    lines = [f"{mark} {' '.join(dice.choices(words, k=dice.randint(4, 12)))}" for _ in range(dice.randint(5, 80))]
    return "\n".join(lines) + "\n"

def tree(root, count):
    dice, left = random.Random(count), [count]
    def put(path, text):
        if left[0] == 0: return
        left[0] -= 1
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file: file.write(text if isinstance(text, bytes) else text.encode())
    put("CODEOWNERS", "* @acme/platform\n")
    put("Cargo.toml", '[workspace]\nmembers = ["services/*"]\n')
    put("package.json", '{"name": "a", "scripts": {"test": "jest"}, "dependencies": {"express": "4"}}\n')
    put("Dockerfile", "FROM debian:12\nHEALTHCHECK CMD true\n")
    for n in range(20): put(f".github/workflows/w{n}.yml", WORKFLOW.format(n=n))
    n = 0
    while left[0]:
        base = f"services/s{n}"
        put(f"{base}/Cargo.toml", f'[package]\nname = "s{n}"\n[dependencies]\naxum = "0.8"\n')
        put(f"{base}/Makefile", "lint:\n\tcargo clippy\n")
        put(f"{base}/deploy/service.yaml", f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: s{n}}}\nspec:\n  template:\n    spec:\n      containers: [{{name: a, image: a:1, livenessProbe: {{httpGet: {{path: /livez, port: 1}}}}}}]\n")
        for m in range(40):
            for end in ("py", "rs", "go", "ts"): put(f"{base}/src/m{m // 10}/f{m}.{end}", text_of(dice, f"a.{end}"))
            if m % 4 == 0: put(f"{base}/tests/test_{m}.py", text_of(dice, "a.py"))
            if m % 8 == 0: put(f"{base}/docs/d{m}.md", text_of(dice, "a.md"))
            if m % 10 == 0: put(f"{base}/docs/p{m}.png", dice.randbytes(2000))
        n += 1
    git = ["git", "-C", root, "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "gc.auto=0"]
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["gc", "-q"]):
        subprocess.run(git + args, check=True)

def run(command):
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # agentready asks whether a large repository is meant.
    child.stdin.write(b"y\ny\n"); child.stdin.close()
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid: break
        if time.monotonic() - start > PATIENCE:
            child.kill(); os.wait4(child.pid, 0); child.returncode = -9
            return None
        time.sleep(0.002)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_maxrss / 1024, child.returncode

def shown(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"

for count in sizes:
    root = os.path.join(work, str(count))
    tree(root, count)
    listed = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == count
    commands = {
        "lockgate assess": [lockgate, "assess", root, "--output", "json"],
        "lockgate assess --rev": [lockgate, "assess", root, "--rev", "HEAD", "--output", "json"],
        "zizmor": [f"{peers}/zizmor/bin/zizmor", "--offline", "--no-exit-codes", "--no-progress", root],
        "agentready": [f"{peers}/agentready/bin/agentready", "assess", root, "--output-dir", os.path.join(work, "out")],
    }
    seen = {name: [] for name, command in commands.items() if os.path.exists(command[0])}
    for _ in range(rounds):
        for name in list(seen):
            found = run(commands[name])
            if found is None: print(f"{name}: not done after {PATIENCE} s"); del seen[name]; continue
            seen[name].append(found)
    print(f"\n| {count:,} files | seconds | MiB | exit code |\n|---|---|---|---|")
    for name, all in seen.items():
        print(f"| {name} | {shown([one[0] for one in all], 2)} | {shown([one[1] for one in all], 0)} | {all[-1][2]} |")
PY
