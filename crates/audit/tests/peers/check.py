"""Checks a log with aics-tlog and pymerkle, which share no code with Lockgate: check.py CASES LOG."""

import base64
import json
import sys
from dataclasses import replace

import aics_tlog as tlog
import pymerkle

cases = json.load(open(sys.argv[1]))
key = tlog.parse_vkey(cases["key"])


def unb64(text):
    return base64.b64decode(text)


def head(text):
    note = tlog.parse_note(text)
    assert tlog.verify_checkpoint(note, key).ok
    return tlog.parse_checkpoint(note.text), note


# The last state is read from the log's own files: paths, tiles and bundles are as the other reader expects them.
last = cases["states"][-1]
checkpoint, note = head(last["note"])
reader = tlog.FileSystemTileReader(sys.argv[2])
report = tlog.audit_tiles(reader, checkpoint.size, checkpoint.root)
assert report.size == last["size"] == checkpoint.size
verified = tlog.VerifiedTileReader(reader, checkpoint.size, checkpoint.root)
records = [verified.entry(index) for index in range(checkpoint.size)]

tree = tlog.MerkleTree(records)
other = pymerkle.InmemoryTree(algorithm="sha256")
other.append_entries(records)
roots = {0: tlog.EMPTY_HASH}
proofs = 0
for state in cases["states"]:
    size = state["size"]
    checkpoint, note = head(state["note"])
    root = checkpoint.root
    assert checkpoint.size == size
    assert tree.root(size) == root
    assert other.get_root(size) == root
    roots[size] = root
    for proof in state["inclusion"]:
        index, path = proof["index"], [unb64(hash) for hash in proof["path"]]
        record = unb64(proof["record"])
        assert record == records[index]
        assert path == tree.inclusion_proof(index, size)
        assert tlog.verify_leaf_inclusion(record, index, size, path, root)
        # pymerkle counts from 1, and its paths hold the leaf.
        leaf = other.get_leaf(index + 1)
        theirs = other.prove_inclusion(index + 1, size)
        pymerkle.verify_inclusion(leaf, root, theirs, index=index + 1, size=size)
        assert sorted(theirs.path) == sorted([leaf, *path])
        assert not tlog.verify_leaf_inclusion(record + b" ", index, size, path, root)
        if path:
            broken = [bytes([path[0][0] ^ 1]) + path[0][1:]] + path[1:]
            assert not tlog.verify_leaf_inclusion(record, index, size, broken, root)
        proofs += 1
    for proof in state["consistency"]:
        old, path = proof["old"], [unb64(hash) for hash in proof["path"]]
        assert path == tree.consistency_proof(old, size)
        assert tlog.verify_consistency(old, size, roots[old], root, path)
        theirs = other.prove_consistency(old, size)
        pymerkle.verify_consistency(roots[old], root, theirs, prior_size=old, later_size=size)
        assert not tlog.verify_consistency(old, size, bytes(32), root, path)
        proofs += 1
    changed = replace(note, text=note.text.replace(f"\n{size}\n", f"\n{size + 1}\n", 1))
    assert not tlog.verify_checkpoint(changed, key).ok

print(json.dumps({"states": len(cases["states"]), "proofs": proofs, "records": len(records)}))
