//! A log that a witness has cosigned, after someone was at it: whoever trusts the witness sees what only a kept checkpoint
//! showed before.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use lockgate_audit::DamageKind::{self, *};
use lockgate_audit::{
    CosignerKey, Found, Known, Outside, WitnessKey, add_cosignature, cosigned, keep_cosigned,
    origin_hash, verify_against,
};

use crate::witness::{Watcher, request};
use crate::world::{Made, append_as, log_of};

/// Has the log's newest checkpoint cosigned, and keeps that beside it.
fn cosign(made: &Made, watcher: &Watcher, at_s: u64) {
    let witness = watcher.open();
    let seen = witness.checkpoint(&origin_hash("test.example/log"));
    let old = seen.map_or(0, |note| size_of(&note));
    let asked = request(made, old);
    let answer = witness.add_checkpoint(&asked.to_bytes(), at_s).unwrap();
    let note = add_cosignature(&asked.note, &answer, watcher.key.public()).unwrap();
    let kept = keep_cosigned(&made.root(), watcher.key.public(), &note).unwrap();
    assert_eq!(kept.at_s, at_s);
}

fn size_of(note: &[u8]) -> u64 {
    std::str::from_utf8(note).unwrap().lines().nth(1).unwrap().parse().unwrap()
}

fn look(made: &Made, watchers: &[&Watcher], min: usize, known: &[Known]) -> Found {
    let witnesses: Vec<CosignerKey> =
        watchers.iter().map(|watcher| watcher.key.public().clone()).collect();
    let outside = Outside { known: known.to_vec(), witnesses, cosignatures_min: min };
    verify_against(&made.root(), &made.public(), &outside, &mut |_, _| {}).unwrap()
}

fn kinds(found: &Found) -> Vec<DamageKind> {
    found.damage.iter().map(|damage| damage.kind).collect()
}

/// What the witness itself remembers.
fn remembered(watcher: &Watcher) -> Known {
    Known { note: watcher.open().checkpoint(&origin_hash("test.example/log")).unwrap() }
}

fn file(watcher: &Watcher) -> String {
    format!("cosigned/{:08x}", watcher.key.public().id())
}

#[test]
fn records_below_a_cosigned_checkpoint_are_anchored() {
    let made = log_of(300);
    let watcher = Watcher::of(&[&made.key]);
    cosign(&made, &watcher, 100);
    made.append(10);
    let found = look(&made, &[&watcher], 1, &[]);
    assert!(found.intact() && found.cosigned_enough(), "{found:?}");
    assert_eq!((found.unanchored_from, found.unanchored_since_ms), (Some(300), Some(1_300)));
    assert_eq!((found.witnesses[0].size, found.witnesses[0].at_s), (Some(300), Some(100)));
    cosign(&made, &watcher, 200);
    assert_eq!(look(&made, &[&watcher], 1, &[]).unanchored_from, None);
    // Nobody vouches for a witness that was not named.
    let alone = made.verify(&[]);
    assert!(alone.intact() && alone.unanchored_from == Some(0), "{alone:?}");
    // One cosigned checkpoint may come from the witness itself.
    fs::remove_dir_all(made.path("cosigned")).unwrap();
    let missing = look(&made, &[&watcher], 1, &[]);
    assert!(missing.intact() && !missing.cosigned_enough());
    assert_eq!(missing.unanchored_from, Some(0));
    let asked = look(&made, &[&watcher], 1, &[remembered(&watcher)]);
    assert!(asked.intact() && asked.cosigned_enough() && asked.unanchored_from.is_none());
}

#[test]
fn as_many_witnesses_as_are_wanted_must_vouch() {
    let made = log_of(100);
    let (one, two) = (Watcher::of(&[&made.key]), Watcher::of(&[&made.key]));
    cosign(&made, &one, 100);
    made.append(50);
    cosign(&made, &two, 200);
    made.append(50);
    for (min, from) in [(1, 150), (2, 100)] {
        let found = look(&made, &[&one, &two], min, &[]);
        assert!(found.intact() && found.cosigned_enough());
        assert_eq!(found.unanchored_from, Some(from), "{min}");
    }
    // One witness is one, however often it is named.
    let twice = look(&made, &[&two, &two], 2, &[]);
    assert!(!twice.cosigned_enough());
    assert_eq!((twice.witnesses.len(), twice.unanchored_from), (1, Some(0)));
    let renamed = WitnessKey::parse(&other_name(two.key.secret())).unwrap();
    let witnesses = vec![two.key.public().clone(), renamed.public().clone()];
    let outside = Outside { witnesses, cosignatures_min: 2, ..Outside::default() };
    let found = verify_against(&made.root(), &made.public(), &outside, &mut |_, _| {}).unwrap();
    assert!(!found.cosigned_enough(), "nor does one with two names: {found:?}");
    let neither = look(&made, &[&one, &Watcher::of(&[&made.key])], 2, &[]);
    assert!(neither.intact() && !neither.cosigned_enough());
    assert_eq!(neither.witnesses[1].size, None);
}

/// The same key under another name.
fn other_name(secret: &str) -> String {
    let seed = BASE64_STANDARD.decode(secret.splitn(5, '+').last().unwrap()).unwrap();
    let public = SigningKey::from_bytes(seed[1..].try_into().unwrap()).verifying_key();
    let id = signed_note::key_id("other", &[&[4], public.as_bytes().as_slice()].concat());
    format!("PRIVATE+KEY+other+{id:08x}+{}", BASE64_STANDARD.encode(seed))
}

/// Each with the cosigned file kept, with it taken away, and against what the witness remembers.
#[test]
fn what_is_done_below_a_cosigned_checkpoint_is_seen() {
    let made = log_of(300);
    let watcher = Watcher::of(&[&made.key]);
    cosign(&made, &watcher, 100);
    let older = made.copy();
    made.append(300);
    cosign(&made, &watcher, 200);
    let seen = |copy: &Made, kind: DamageKind| {
        let by_file = look(copy, &[&watcher], 1, &[]);
        assert!(kinds(&by_file).contains(&kind), "{kind:?}: {by_file:?}");
        let even_alone = copy.verify(&[]);
        assert!(!even_alone.intact(), "the log's own key signed what the witness cosigned");
        let _ = fs::remove_dir_all(copy.path("cosigned"));
        let without = look(copy, &[&watcher], 1, &[]);
        assert!(!without.cosigned_enough(), "{kind:?}: {without:?}");
        let by_witness = look(copy, &[&watcher], 1, &[remembered(&watcher)]);
        assert!(kinds(&by_witness).contains(&kind), "{kind:?}: {by_witness:?}");
    };
    let newest = fs::read(made.path(&file(&watcher))).unwrap();

    // Cut to an older checkpoint: nothing in it is wrong.
    let cut = older.copy();
    fs::write(cut.path(&file(&watcher)), &newest).unwrap();
    seen(&cut, Truncated);
    // And the older cosigned file put back with it: only the witness tells.
    let rolled_back = look(&older, &[&watcher], 1, &[]);
    assert!(rolled_back.intact() && rolled_back.cosigned_enough());
    assert_eq!(rolled_back.witnesses[0].at_s, Some(100), "it is as old as it says");
    let told = look(&older, &[&watcher], 1, &[remembered(&watcher)]);
    assert_eq!((kinds(&told), told.damage[0].seq), (vec![Truncated], Some(300)));

    // Another history by the log's own key.
    let forked = older.copy();
    append_as(&forked, "eve");
    forked.append(310);
    fs::write(forked.path(&file(&watcher)), &newest).unwrap();
    seen(&forked, Forked);

    // Cut to a record, an old checkpoint over newer files, everything gone.
    let cut = made.copy();
    let bundle = cut.path("tile/entries/001");
    let bytes = fs::read(&bundle).unwrap();
    fs::write(&bundle, &bytes[..bytes.len() / 2]).unwrap();
    assert!(kinds(&look(&cut, &[&watcher], 1, &[])).contains(&Truncated));
    let stale = made.copy();
    fs::copy(older.path("checkpoint"), stale.path("checkpoint")).unwrap();
    let found = look(&stale, &[&watcher], 1, &[]);
    assert!(kinds(&found).contains(&StaleCheckpoint) && kinds(&found).contains(&Truncated));
    let emptied = made.copy();
    fs::remove_dir_all(emptied.root()).unwrap();
    fs::create_dir(emptied.root()).unwrap();
    let found = look(&emptied, &[&watcher], 1, &[remembered(&watcher)]);
    assert!(!found.intact() && kinds(&found).iter().all(|kind| *kind == Emptied), "{found:?}");
    assert!(!found.cosigned_enough());
}

#[test]
fn files_of_witnesses_are_checked_as_far_as_they_can_be() {
    let made = log_of(6);
    let watcher = Watcher::of(&[&made.key]);
    cosign(&made, &watcher, 100);
    let path = made.path(&file(&watcher));
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        let found = look(&made, &[&watcher], 1, &[]);
        assert!(!found.intact() || !found.cosigned_enough(), "byte {at}: {found:?}");
    }
    for cut in [0, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(kinds(&made.verify(&[])), [BadCheckpoint], "cut to {cut}");
    }
    fs::write(&path, &bytes).unwrap();
    assert!(look(&made, &[&watcher], 1, &[]).intact());
    // A file of somebody else, and files of nobody.
    for (name, kind) in [
        ("cosigned/00000000", BadCheckpoint),
        ("cosigned/0000000g", Stranger),
        ("cosigned/ABCDEF01", Stranger),
        ("cosigned/x/00000000", Stranger),
        ("cosigned.txt", Stranger),
    ] {
        let stranger = made.path(name);
        fs::create_dir_all(stranger.parent().unwrap()).unwrap();
        fs::write(&stranger, &bytes).unwrap();
        assert_eq!(kinds(&made.verify(&[])), [kind], "{name}");
        fs::remove_file(&stranger).unwrap();
    }
    // What a crash left of one that was to be replaced.
    fs::write(path.with_extension("tmp"), "torn").unwrap();
    assert!(made.verify(&[]).intact());
    assert_eq!(cosigned(&made.root()).len(), 1);
    assert_eq!(cosigned(&made.root())[0].says_size(), Some(6));
}

#[test]
fn an_answer_is_taken_for_what_it_is() {
    let made = log_of(6);
    let (watcher, other) = (Watcher::of(&[&made.key]), Watcher::of(&[&made.key]));
    let asked = request(&made, 0);
    let own = watcher.open().add_checkpoint(&asked.to_bytes(), 5).unwrap();
    let others = other.open().add_checkpoint(&asked.to_bytes(), 5).unwrap();
    let key = watcher.key.public();
    let note = add_cosignature(&asked.note, &[others.as_slice(), &own].concat(), key).unwrap();
    assert_eq!(note, [asked.note.as_slice(), &own].concat(), "of others nothing is kept");
    assert!(add_cosignature(&asked.note, &others, key).is_err());
    assert!(add_cosignature(&asked.note, b"", key).is_err());
    assert!(add_cosignature(&asked.note, b"<html>", key).is_err());
    made.append(1);
    let later = request(&made, 0);
    assert!(add_cosignature(&later.note, &own, key).is_err(), "it cosigned something else");
    assert!(keep_cosigned(&made.root(), other.key.public(), &note).is_err());
}
