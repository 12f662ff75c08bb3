//! What grows from records until a checkpoint covers it: the tree's edge, and tiles and bundles that are to be written.

use tlog_tiles::record_hash;

use crate::layout::{self, TILE_WIDTH};
use crate::tree::{Edge, FullTile};
use crate::wal;

/// See the module.
pub(crate) struct Grown {
    edge: Edge,
    /// The bundle that is not full yet.
    bundle: Vec<u8>,
    tiles: Vec<FullTile>,
    bundles: Vec<(u64, Vec<u8>)>,
}

impl Grown {
    pub(crate) fn new(edge: Edge, bundle: Vec<u8>) -> Self {
        Self { edge, bundle, tiles: Vec::new(), bundles: Vec::new() }
    }

    pub(crate) fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The bundle that is not full yet.
    pub(crate) fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: &[u8]) {
        // Records of the log are short enough, or they would not be in a frame.
        let _ = wal::push_record(&mut self.bundle, record);
        self.tiles.extend(self.edge.push(record_hash(record)));
        let size = self.edge.size();
        if size.is_multiple_of(TILE_WIDTH) {
            let next = Vec::with_capacity(self.bundle.len());
            let full = std::mem::replace(&mut self.bundle, next);
            self.bundles.push((size / TILE_WIDTH - 1, full));
        }
    }

    /// The tiles and bundles that became full, by their paths.
    pub(crate) fn full(&self) -> Vec<(String, &[u8])> {
        let tiles = self.tiles.iter().map(|tile| {
            (layout::tile_name(tile.level, tile.index, TILE_WIDTH), tile.bytes.as_slice())
        });
        let bundles = self
            .bundles
            .iter()
            .map(|(index, bytes)| (layout::bundle_name(*index, TILE_WIDTH), bytes.as_slice()));
        tiles.chain(bundles).collect()
    }

    /// Those that became full are on disk.
    pub(crate) fn forget_full(&mut self) {
        self.tiles.clear();
        self.bundles.clear();
    }
}
