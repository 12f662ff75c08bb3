//! What a copy of a log elsewhere needs to become this log.

use std::ops::Range;

use crate::error::AuditError;
use crate::layout::{self, TILE_WIDTH};
use crate::publish::partial_names;
use crate::read::Reader;

impl Reader {
    /// Files under the checkpoint that a copy of so many records lacks: notes of rotation, tiles and bundles. The list
    /// of keys and the checkpoint come after them.
    pub fn files_since(&self, records: u64) -> Vec<String> {
        let size = self.checkpoint().size;
        let mut names: Vec<String> = (1..self.keys().len()).map(layout::rotation_name).collect();
        if records >= size {
            return names;
        }
        let full = |level: u8| -> Range<u64> {
            let tiles = |size: u64| (size >> (8 * u32::from(level))) / TILE_WIDTH;
            tiles(records)..tiles(size)
        };
        let kept = full(0).filter(|index| index * TILE_WIDTH >= self.first());
        names.extend(kept.map(|index| layout::bundle_name(index, TILE_WIDTH)));
        for level in 0..layout::levels(size) {
            names.extend(full(level).map(|index| layout::tile_name(level, index, TILE_WIDTH)));
        }
        names.extend(partial_names(size));
        names
    }

    /// Unfinished files of a copy of so many records that this checkpoint replaces.
    pub fn files_replaced(&self, records: u64) -> Vec<String> {
        let kept: Vec<String> = partial_names(self.checkpoint().size).collect();
        partial_names(records).filter(|name| !kept.contains(name)).collect()
    }

    /// The bytes of a file under the checkpoint.
    pub fn file_bytes(&self, name: &str) -> Result<Vec<u8>, AuditError> {
        self.file(name).map_err(AuditError::io("read", &self.root.join(name)))
    }

    /// The list of public keys, as it is kept in the log.
    pub fn keys_file(&self) -> String {
        let keys: Vec<String> = self.keys().iter().map(ToString::to_string).collect();
        keys.join("\n") + "\n"
    }
}
