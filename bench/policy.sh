#!/usr/bin/env bash
# Decisions side by side: the Agent Governance Toolkit (PyPI agent-governance-toolkit 4.1.0) and lockgate, on the same rules.
#
#   bench/policy.sh [ROUNDS]     default 5 rounds for each number of rules
#
# The rules are one governance.toolkit/v1 file; lockgate imports it. Each denies one action in production, and the last one
# allows what is for a test. Both engines are asked in their own process, without a network: for theirs the context is a
# dictionary that is there, for lockgate the arguments are, and facts, context and request are built in each decision.
# Both must deny the one and allow the other, or nothing is printed. Rounds are interleaved.
# Prints p50 and p99 of a decision in microseconds, and ratios round by round. Run it when nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh

rounds=${1:-5}
need_compiler
. ./bench/agt.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "building ..."
cargo build --profile "${LOCKGATE_PROFILE:-release}" --locked --quiet -p lockgate-policy --example imported
ours="$CARGO_TARGET_DIR/${LOCKGATE_PROFILE:-release}/examples/imported"

cat >"$work/theirs.py" <<'PY'
import logging, sys, time
logging.disable(logging.CRITICAL)
from agentmesh.governance.policy import PolicyEngine
file, action, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
engine = PolicyEngine()
engine.load_yaml(open(file).read())
def decide(env):
    context = {"action": {"type": action}, "args": {"env": env}}
    start = time.perf_counter_ns()
    decision = engine.evaluate("support", context)
    return time.perf_counter_ns() - start, decision.allowed
assert not decide("prod")[1], "what is denied came out otherwise"
nanos = []
for n in range(times + times // 10):
    took, allowed = decide("test")
    assert allowed, "what is allowed came out otherwise"
    if n >= times // 10:
        nanos.append(took)
nanos.sort()
print(nanos[(times - 1) * 50 // 100], nanos[(times - 1) * 99 // 100])
PY

for rules in 10 100 1000; do
  python3 - "$rules" >"$work/$rules.yaml" <<'PY'
import sys
rules = int(sys.argv[1])
print("apiVersion: governance.toolkit/v1\nname: bench\nagents: ['*']\ndefault_action: deny\nrules:")
for n in range(rules - 1):
    print(f"  - {{name: r{n}, priority: 1, action: deny, condition: \"action.type == 'a{n}' and args.env == 'prod'\"}}")
print("  - {name: tests, action: allow, condition: \"args.env == 'test'\"}")
PY
done
for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  for rules in 10 100 1000; do
    action=a$((rules / 2))
    echo "$rules agt $("$AGT_PYTHON" "$work/theirs.py" "$work/$rules.yaml" "$action" $((200000 / rules)))" >>"$work/results"
    echo "$rules lockgate $("$ours" "$work/$rules.yaml" "$action" 20000)" >>"$work/results"
  done
done

printf 'date: %s · %s rounds, interleaved · %s cores · load %s · %s\n\n' "$(date -u +%Y-%m-%dT%H:%MZ)" "$rounds" \
  "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" "$("$AGT_PYTHON" --version)"
python3 - "$work/results" <<'PY'
import collections, statistics, sys
seen = collections.defaultdict(list)
for line in open(sys.argv[1]):
    rules, who, p50, p99 = line.split()
    seen[int(rules), who, "p50"].append(int(p50) / 1000)
    seen[int(rules), who, "p99"].append(int(p99) / 1000)
def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"
print("| microseconds of a decision | AGT 4.1.0 | lockgate | AGT / lockgate |\n|---|---|---|---|")
for rules in (10, 100, 1000):
    for at in ("p50", "p99"):
        theirs, ours = seen[rules, "agt", at], seen[rules, "lockgate", at]
        ratios = [one / other for one, other in zip(theirs, ours)]
        print(f"| {at}, {rules} rules | {spread(theirs, 1)} | {spread(ours, 2)} | {spread(ratios, 1)} |")
PY
