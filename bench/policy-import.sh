#!/usr/bin/env bash
# Imported policies beside the engines that they come from (PyPI agent-governance-toolkit 4.1.0).
#
#   bench/policy-import.sh [DOCUMENTS] [SEED]     default 200 documents, half of each form, 8 calls each
#
# Documents are drawn from what those engines read as their documentation says: no parentheses, no `not`, no texts with `or` in
# them. Each is imported by lockgate, and both sides decide the same calls. What is denied or held there must not be
# allowed here; where it is, the document is printed and the exit code is 1. Prints how often both say the same, and how
# often lockgate is stricter: rules of different effects that contradict each other, and `warn` and `log`.
# LOCKGATE_BIN names a binary; without it an optimised one is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./.ci/machine.sh
. ./bench/agt.sh

lockgate=${LOCKGATE_BIN:-}
if [ -z "$lockgate" ]; then
  need_compiler
  say "building ..."
  cargo build --release --locked --quiet -p lockgate
  lockgate="$CARGO_TARGET_DIR/release/lockgate"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/beside.py" <<'PY'
import collections, json, logging, os, random, shutil, subprocess, sys
logging.disable(logging.CRITICAL)
from agent_os.policies.evaluator import PolicyEvaluator
from agent_os.policies.schema import PolicyDocument
from agentmesh.governance.policy import PolicyEngine

lockgate, work, documents, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
dice = random.Random(seed)
ACTIONS, TEXTS = ["read", "write", "drop"], ["prod", "test", "dev"]

def atom():
    return dice.choice([
        lambda: f"action.type == '{dice.choice(ACTIONS)}'",
        lambda: f"action.type != \"{dice.choice(ACTIONS)}\"",
        lambda: f"action.type in ['{dice.choice(ACTIONS)}', '{dice.choice(ACTIONS)}']",
        lambda: f"args.env == '{dice.choice(TEXTS)}'",
        lambda: f"args.env != '{dice.choice(TEXTS)}'",
        lambda: f"args.env in ['{dice.choice(TEXTS)}', '{dice.choice(TEXTS)}']",
        lambda: f"args.amount {dice.choice(['>', '<', '>=', '<='])} {dice.choice([0, 5, 10, 10.5])}",
        lambda: "args.forced",
    ])()

def v1():
    rules = []
    for n in range(dice.randint(1, 5)):
        condition = atom()
        for _ in range(dice.randint(0, 3)):
            condition += f" {dice.choice(['and', 'or'])} {atom()}"
        action = dice.choice(["allow", "deny", "deny", "require_approval", "warn", "log"])
        rules.append({"name": f"r{n}", "condition": condition, "action": action, "priority": dice.randint(0, 2)})
    return {"apiVersion": "governance.toolkit/v1", "name": "p", "agents": ["*"],
            "default_action": dice.choice(["allow", "deny"]), "rules": rules}

def older():
    rules = []
    for n in range(dice.randint(1, 5)):
        field, operator, value = dice.choice([
            lambda: ("tool_name", dice.choice(["eq", "ne"]), dice.choice(ACTIONS)),
            lambda: ("tool_name", dice.choice(["in", "not_in"]), dice.sample(ACTIONS, 2)),
            lambda: ("args.env", dice.choice(["eq", "ne"]), dice.choice(TEXTS)),
            lambda: ("args.env", dice.choice(["in", "not_in"]), dice.sample(TEXTS, 2)),
            lambda: ("args.env", "contains", dice.choice(["o", "es", "prod"])),
            lambda: ("args.env", "matches", dice.choice(["^pro", "test|dev", "e"])),
            lambda: ("args.amount", dice.choice(["gt", "lt", "gte", "lte", "eq", "ne"]), dice.choice([0, 5, 10])),
        ])()
        rules.append({"name": f"r{n}", "condition": {"field": field, "operator": operator, "value": value},
                      "action": dice.choice(["allow", "deny", "block", "audit"]), "priority": dice.randint(0, 2)})
    return {"version": "1.0", "name": "p", "inherit": False, "rules": rules,
            "defaults": {"action": dice.choice(["allow", "deny"])}}

def arguments():
    drawn = {"env": dice.choice(TEXTS + ["", "PROD"]), "amount": dice.choice([-1, 0, 5, 6, 10, 11]), "forced": dice.choice([True, False])}
    return {name: value for name, value in drawn.items() if dice.random() < 0.8}

# Which arguments an imported file declares; a call with others is denied, and says nothing about rules.
def declared(yaml):
    import yaml as reader
    return set(reader.safe_load(yaml)["tools"]["db"]["actions"]["read"]["arguments"])

def theirs(document, action, args):
    if "apiVersion" in document:
        engine = PolicyEngine()
        engine.load_json(json.dumps(document))
        return engine.evaluate("support", {"action": {"type": action}, "args": args}).allowed
    evaluator = PolicyEvaluator([PolicyDocument.model_validate(document)])
    context = {"tool_name": action, **{f"args.{name}": value for name, value in args.items()}}
    return evaluator.evaluate(context).allowed

counts = collections.Counter()
for n in range(documents):
    document = v1() if n % 2 == 0 else older()
    shutil.rmtree(f"{work}/ours", ignore_errors=True)
    os.mkdir(f"{work}/ours")
    with open(f"{work}/theirs.json", "w") as file:
        json.dump(document, file)
    ran = subprocess.run([lockgate, "policy", "import", f"{work}/theirs.json", "--tool", "db", "--out", f"{work}/ours/p.yaml",
                          "--action", "read", "--action", "write", "--action", "drop"], capture_output=True, text=True)
    assert ran.returncode == 0, f"{json.dumps(document)}\n{ran.stderr}"
    known = declared(open(f"{work}/ours/p.yaml").read())
    for _ in range(8):
        action, args = dice.choice(ACTIONS), {name: value for name, value in arguments().items() if name in known}
        with open(f"{work}/request.json", "w") as file:
            json.dump({"agent": "support", "tool": "db", "action": action, "arguments": args}, file)
        ran = subprocess.run([lockgate, "policy", "decide", "--policies", f"{work}/ours", "--request", f"{work}/request.json"],
                             capture_output=True, text=True)
        assert ran.returncode in (0, 1, 4), ran.stderr
        there, here = theirs(document, action, args), ran.returncode == 0
        counts["same" if there == here else "stricter" if there else "weaker"] += 1
        if here and not there:
            print(f"weaker: {json.dumps(document)}\n  {action} {args}", file=sys.stderr)
print(f"{documents} documents, seed {seed}: the same {counts['same']}, stricter {counts['stricter']}, weaker {counts['weaker']}")
sys.exit(1 if counts["weaker"] else 0)
PY
"$AGT_PYTHON" "$work/beside.py" "$lockgate" "$work" "${1:-200}" "${2:-1}"
