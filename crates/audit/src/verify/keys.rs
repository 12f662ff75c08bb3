//! Whose log it is: the keys given, the keys that the log names, and the notes that lead from one to the next.

use std::path::Path;

use super::damage::{Damage, DamageKind};
use super::{Found, files};
use crate::disk::{read_file, read_text};
use crate::keys::{Checkpoint, VerifierKey};
use crate::layout;
use crate::read::own_keys;
use crate::rotation::Chain;

/// The keys that may have signed, and how many notes of rotation the log may hold.
pub(super) fn to_use(
    root: &Path,
    given: Vec<VerifierKey>,
    found: &mut Found,
) -> Option<(Chain, usize)> {
    // What is broken is named once, and not as a stranger again.
    let instead =
        |keys: Vec<VerifierKey>| (!keys.is_empty()).then(|| (Chain::of_keys(keys), usize::MAX));
    let own = match own_keys(root) {
        Ok(own) => own,
        Err(error) => {
            let kind =
                if files::nothing_there(root) { DamageKind::Emptied } else { DamageKind::WrongKey };
            found.damage.push(Damage::of_file(kind, "log.keys", error.to_string()));
            return instead(given);
        }
    };
    let Some(first) = own.first() else {
        found.damage.push(Damage::of_file(DamageKind::Missing, "log.keys", "it holds no key"));
        return instead(given);
    };
    let chain = match Chain::read(first.clone(), |name| read_file(&root.join(name))) {
        Ok(chain) => chain,
        Err(broken) => {
            found.damage.push(Damage::of_file(DamageKind::WrongKey, broken.file, broken.why));
            return instead(if given.is_empty() { own } else { given });
        }
    };
    if !given.is_empty() && !chain.has_one_of(&given) {
        let why = "the log names another key than the one given";
        found.damage.push(Damage::of_file(DamageKind::WrongKey, "log.keys", why));
        return instead(given);
    }
    let notes = chain.rotations.len();
    Some((chain, notes))
}

/// The list of keys against the notes, and the notes against the checkpoint.
pub(super) fn compare(root: &Path, chain: &Chain, note: &[u8], found: &mut Found) {
    let Ok(text) = read_text(&layout::keys(root)) else { return };
    let unfinished = chain.is_unfinished(note) && chain.keys_text_before().as_ref() == Some(&text);
    let known = found.damage.iter().any(|damage| damage.kind == DamageKind::WrongKey);
    if text != chain.keys_text() && !unfinished && !known {
        let (kind, file, why) = if text.starts_with(&chain.keys_text()) {
            let name = layout::rotation_name(chain.keys.len());
            (DamageKind::Missing, name, "the log names a key, and nothing says who passed it on")
        } else {
            (DamageKind::WrongKey, "log.keys".into(), "it does not name the log's keys")
        };
        found.damage.push(Damage::of_file(kind, file, why));
    }
    let Ok(Checkpoint { size, .. }) = chain.checkpoint(note) else { return };
    for (number, rotation) in (1..).zip(&chain.rotations) {
        let signed = rotation.checkpoint.size;
        if signed > size {
            let why = format!("it signs {signed} records, and the checkpoint {size}");
            let damage = Damage::at(DamageKind::Truncated, size, why);
            found.damage.push(damage.in_file(layout::rotation_name(number)));
        }
    }
}
