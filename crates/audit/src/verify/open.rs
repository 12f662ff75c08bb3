//! The note of open intents against the log.

use std::io::ErrorKind;

use super::Found;
use super::damage::{Damage, DamageKind};
use super::source::Source;
use crate::keys::Checkpoint;
use crate::open_intents::{NAME, Standing, named};
use crate::rotation::Chain;

/// What the note says, for the walk to compare; a log need not have one.
pub(super) fn read(
    source: &Source,
    chain: &Chain,
    signed: Checkpoint,
    found: &mut Found,
) -> Option<(Checkpoint, Standing)> {
    let note = match source.read(NAME) {
        Ok(note) => note,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            found.damage.push(Damage::of_file(DamageKind::Missing, NAME, error.to_string()));
            return None;
        }
    };
    match chain.checkpoint(&note).and_then(|at| Ok((at, named(&note, at)?))) {
        Ok((at, _)) if at.size > signed.size => {
            let why =
                format!("it is of {} records, and the checkpoint signs {}", at.size, signed.size);
            let damage = Damage::at(DamageKind::StaleCheckpoint, signed.size, why);
            found.damage.push(damage.in_file(NAME));
            None
        }
        Ok(noted) => Some(noted),
        Err(error) => {
            found.damage.push(Damage::of_file(DamageKind::BadCheckpoint, NAME, error.to_string()));
            None
        }
    }
}
