//! What witnesses cosigned, against the log.

use serde::Serialize;

use super::damage::{Damage, DamageKind};
use super::{Found, Outside};
use crate::cosign::{CosignerKey, cosignatures, signers};
use crate::cosigned::Cosigned;
use crate::keys::Checkpoint;
use crate::layout;
use crate::rotation::Chain;

/// What a witness that was asked about has cosigned of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witnessed {
    /// The witness's name.
    pub name: String,
    /// Its public key.
    pub key: String,
    /// Records under its newest checkpoint; `None` when it has cosigned nothing that is here.
    pub size: Option<u64>,
    /// When it cosigned that, in seconds since the Unix epoch, by its own clock.
    pub at_s: Option<u64>,
}

/// A checkpoint in a file beside the log.
pub(super) struct Beside {
    pub(super) file: String,
    pub(super) checkpoint: Checkpoint,
}

/// Reads the cosigned checkpoints beside the log and those that were brought along, and fills in what each witness has
/// cosigned. Whether the log's records give the roots is seen later.
pub(super) fn look(
    kept: Vec<Cosigned>,
    outside: &Outside,
    chain: &Chain,
    signed: Checkpoint,
    found: &mut Found,
) -> Vec<Beside> {
    let mut beside = Vec::new();
    for Cosigned { file, note } in kept {
        match checked(&file, &note, chain) {
            Ok(checkpoint) if checkpoint.size > signed.size => {
                let why = format!(
                    "a witness cosigned {} records, and the checkpoint signs {}",
                    checkpoint.size, signed.size
                );
                let damage = Damage::at(DamageKind::Truncated, signed.size, why);
                found.damage.push(damage.in_file(file));
            }
            Ok(checkpoint) => {
                if let Err(why) = credit(&note, checkpoint, &outside.witnesses, found) {
                    found.damage.push(Damage::of_file(DamageKind::BadCheckpoint, &file, why));
                }
                beside.push(Beside { file, checkpoint });
            }
            Err(why) => found.damage.push(Damage::of_file(DamageKind::BadCheckpoint, file, why)),
        }
    }
    for known in &outside.known {
        // What else is wrong with it is named where checkpoints kept elsewhere are looked at.
        let Ok(checkpoint) = chain.checkpoint(&known.note) else { continue };
        if checkpoint.size > signed.size {
            continue;
        }
        if let Err(why) = credit(&known.note, checkpoint, &outside.witnesses, found) {
            let damage = Damage::of_file(DamageKind::BadCheckpoint, "known checkpoint", why);
            found.damage.push(damage);
        }
    }
    beside
}

/// A file beside the log must be signed by the log, and by the witness whose name it has.
fn checked(file: &str, note: &[u8], chain: &Chain) -> Result<Checkpoint, String> {
    let checkpoint = chain.checkpoint(note).map_err(|error| error.to_string())?;
    let signers = signers(note).map_err(|error| error.to_string())?;
    if layout::cosigned_by(file).is_none_or(|id| !signers.contains(&id)) {
        return Err("the witness whose file it is has not cosigned it".into());
    }
    Ok(checkpoint)
}

fn credit(
    note: &[u8],
    checkpoint: Checkpoint,
    witnesses: &[CosignerKey],
    found: &mut Found,
) -> Result<(), String> {
    for cosignature in cosignatures(note, witnesses).map_err(|error| error.to_string())? {
        let key = cosignature.witness.to_string();
        for witness in found.witnesses.iter_mut().filter(|witness| witness.key == key) {
            if (witness.size, witness.at_s) < (Some(checkpoint.size), Some(cosignature.at_s)) {
                (witness.size, witness.at_s) = (Some(checkpoint.size), Some(cosignature.at_s));
            }
        }
    }
    Ok(())
}

/// Witnesses that were asked about, before anything is known of them.
pub(super) fn unknown(witnesses: &[CosignerKey]) -> Vec<Witnessed> {
    let mut counted: Vec<&CosignerKey> = Vec::new();
    for witness in witnesses {
        // One that is named twice does not count twice, nor does one with two names: a cosignature says no name.
        if counted.iter().all(|other: &&CosignerKey| !other.is_same_key(witness)) {
            counted.push(witness);
        }
    }
    let nothing = |witness: &CosignerKey| Witnessed {
        name: witness.name().to_owned(),
        key: witness.to_string(),
        size: None,
        at_s: None,
    };
    counted.into_iter().map(nothing).collect()
}

/// How many records as many witnesses as are wanted vouch for: each vouches for all below its newest checkpoint.
pub(super) fn covered(found: &Found) -> Option<u64> {
    let mut sizes: Vec<u64> = found.witnesses.iter().filter_map(|witness| witness.size).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    sizes.get(found.cosignatures_min.checked_sub(1)?).copied()
}
