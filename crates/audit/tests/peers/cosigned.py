"""Checks cosignatures with aics-tlog, and makes one: cosigned.py CASES. It shares no code with Lockgate."""

import base64
import json
import sys

import aics_tlog as tlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

cases = json.load(open(sys.argv[1]))
log = tlog.parse_vkey(cases["log"])
witnesses = tuple(tlog.parse_vkey(key) for key in cases["witnesses"])
assert all(key.key_type == 4 for key in witnesses)

checked = 0
for case in cases["notes"]:
    note = tlog.parse_note(case["note"])
    policy = tlog.WitnessPolicy(quorum=len(witnesses), witnesses=witnesses)
    assert tlog.verify_checkpoint(note, log, policy=policy).ok
    checkpoint = tlog.parse_checkpoint(note.text)
    assert checkpoint.size == case["size"]
    for key in witnesses:
        (line,) = [line for line in note.signatures if line.name == key.name]
        assert line.key_id == key.key_id
        assert int.from_bytes(line.signature[:8], "big") == case["at_s"]
        said = (line.signature, key.name, key.public_key, checkpoint.origin)
        assert tlog.verify_cosignature(*said, checkpoint.size, checkpoint.root)
        assert not tlog.verify_cosignature(*said, checkpoint.size + 1, checkpoint.root)
        assert not tlog.verify_cosignature(*said, checkpoint.size, bytes(32))
        later = (case["at_s"] + 1).to_bytes(8, "big") + line.signature[8:]
        assert not tlog.verify_cosignature(later, *said[1:], checkpoint.size, checkpoint.root)
        checked += 1

# The other way round: a witness of theirs cosigns the last one.
private = Ed25519PrivateKey.generate()
name = "witness.example/theirs"
blob, line = tlog.sign_cosignature(
    private, name, 1700000000, checkpoint.origin, checkpoint.size, checkpoint.root
)
key_id = base64.b64encode(line.key_id + blob).decode()
print(json.dumps({
    "checked": checked,
    "key": tlog.format_vkey(tlog.cosignature_vkey(name, private.public_key())),
    "line": f"— {name} {key_id}\n",
}))
