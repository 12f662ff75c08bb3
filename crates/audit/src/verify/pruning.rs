//! Bundles that are not there: pruned, or taken away?

use std::collections::HashMap;

use tlog_tiles::Hash;

use super::Pruned;
use super::damage::{Damage, DamageKind};
use super::hex;
use crate::layout::{self, TILE_WIDTH};
use crate::prune::Told;

/// Missing bundles that are named one by one; the others are counted by whoever looks for the first.
const NAMED_MAX: usize = 64;

/// What is missing, and what records say about it.
#[derive(Default)]
pub(super) struct Pruning {
    missing: Vec<u64>,
    /// Roots by the tiles, after each missing bundle.
    roots: HashMap<u64, Hash>,
    told: Option<(u64, Told)>,
    /// Records that do not go on where the one before ended: where each is, where it begins, where that ended.
    gaps: Vec<(u64, u64, u64)>,
}

impl Pruning {
    /// A full bundle is not there.
    pub(super) fn missing(&mut self, index: u64) {
        self.missing.push(index);
    }

    pub(super) fn is_any(&self) -> bool {
        !self.missing.is_empty()
    }

    /// The first record after those that are missing; 0 when none is.
    pub(super) fn missing_to(&self) -> u64 {
        self.missing.last().map_or(0, |index| (index + 1) * TILE_WIDTH)
    }

    /// What the newest record about it says.
    pub(super) fn told_to(&self) -> u64 {
        self.told.as_ref().map_or(0, |(_, told)| told.to)
    }

    /// The root after a bundle that is not there.
    pub(super) fn passed(&mut self, size: u64, root: Hash) {
        self.roots.insert(size, root);
    }

    /// The newest record that tells of pruning counts.
    pub(super) fn look_at(&mut self, seq: u64, record: &[u8]) {
        let Some(told) = Told::by(record) else { return };
        // The one before may have been pruned itself; what it left is then where this one begins.
        let before = self.told.as_ref().map_or(told.from, |(_, before)| before.to);
        if told.from != before {
            self.gaps.push((seq, told.from, before));
        }
        self.told = Some((seq, told));
    }

    /// Names what no record explains.
    pub(super) fn finish(self, signed: u64, damage: &mut Vec<Damage>) -> Option<Pruned> {
        for (seq, from, before) in self.gaps.into_iter().take(NAMED_MAX) {
            let why = format!("it says that pruning began at {from}, and it had come to {before}");
            damage.push(Damage::at(DamageKind::Pruned, seq, why));
        }
        // Nothing goes before its record is signed.
        let told = self.told.filter(|(seq, _)| *seq < signed);
        let to = match &told {
            Some((seq, told)) if told.to > *seq || told.to % TILE_WIDTH != 0 => {
                let why = format!("it says that records up to {} were pruned", told.to);
                damage.push(Damage::at(DamageKind::Pruned, *seq, why));
                0
            }
            Some((_, told)) => told.to,
            None => 0,
        };
        let unexplained = self.missing.iter().filter(|index| (**index + 1) * TILE_WIDTH > to);
        for index in unexplained.take(NAMED_MAX) {
            let why = "it is missing, and no signed record says that it was pruned";
            let seq = index * TILE_WIDTH;
            let name = layout::bundle_name(*index, TILE_WIDTH);
            damage.push(Damage::at(DamageKind::Missing, seq, why).in_file(name));
        }
        let (seq, told) = told?;
        if self.missing.is_empty() || to == 0 {
            return None;
        }
        if self.roots.get(&to).is_some_and(|root| hex(&root.0) != told.root) {
            let why = "the records that it says were pruned are others than the tiles have";
            damage.push(Damage::at(DamageKind::Pruned, seq, why));
        }
        Some(Pruned { to, told_at: seq })
    }
}
