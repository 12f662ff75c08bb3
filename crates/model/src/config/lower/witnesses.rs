//! Witnesses of the audit log: where they are, and the keys that make their word worth something.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::{items, target};
use crate::config::WitnessSettings;
use crate::config::field::Field;
use crate::config::file::{AuditFile, WitnessFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::text::WitnessKeyText;

/// The type of key that cosigns checkpoints, and the one that signs notes: c2sp.org/signed-note.
const COSIGNATURE: u8 = 4;
const NOTE: u8 = 1;

/// Witnesses, in the file's order, and how many of them must vouch for a record.
pub(super) fn witnesses(
    report: &mut Report<'_>,
    file: &AuditFile,
    path: &Path,
) -> (Vec<WitnessSettings>, u32) {
    let list = path.key("witnesses");
    let mut seen = HashSet::new();
    let mut witnesses = Vec::new();
    for (path, witness) in items(report, &file.witnesses, &list) {
        let WitnessFile { url, key } = witness;
        let url = target(report, url, &path.key("url")).map(|(url, _)| url);
        let named = key_and_name(report, key, &path.key("key"), &mut seen);
        if let (Some(url), Some((key, name))) = (url, named) {
            witnesses.push(WitnessSettings { name, url, key });
        }
    }
    let all = file.witnesses.ok().map_or(0, Vec::len);
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    let min_path = path.key("cosignatures_min");
    let min = report.take(&file.cosignatures_min, &min_path).copied();
    if let Some(min) = min.filter(|min| *min > all) {
        let message = match all {
            0 => "`cosignatures_min` is there, and no witness is".to_owned(),
            _ => format!("`cosignatures_min` is {min}, more than there are witnesses ({all})"),
        };
        report.error(&min_path, message, "name more witnesses, or ask for fewer");
    }
    (witnesses, min.unwrap_or(all))
}

/// The key and the name in it. One that cannot be right is refused here: nobody would notice that its witness vouches for
/// nothing.
fn key_and_name(
    report: &mut Report<'_>,
    field: &Field<WitnessKeyText>,
    path: &Path,
    seen: &mut HashSet<String>,
) -> Option<(String, String)> {
    let WitnessKeyText(text) = report.take(field, path)?;
    // Base64 has a plus sign of its own.
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let hint = "`lockgate audit witness keys` prints it; copy it whole";
    let key = BASE64_STANDARD.decode(key).unwrap_or_default();
    match key.first() {
        Some(&COSIGNATURE) => {}
        Some(&NOTE) => {
            report.error(path, "this is a key that signs logs, not a witness's", hint);
            return None;
        }
        _ => {
            report.error(path, "this is not a key that cosigns checkpoints (Ed25519)", hint);
            return None;
        }
    }
    let hashed = Sha256::new().chain_update(name).chain_update("\n").chain_update(&key).finalize();
    if hex::encode(&hashed[..4]) != id {
        report.error(path, "name, id and key do not belong together", hint);
        return None;
    }
    // The id stands in signatures and names the file of what was cosigned; and who has a key has it under any name.
    let is_new = seen.insert(id.to_owned()) && seen.insert(hex::encode(&key));
    if !is_new {
        report.error(path, "this key is there twice", "a witness counts once; remove one of them");
        return None;
    }
    Some((text.clone(), name.to_owned()))
}
