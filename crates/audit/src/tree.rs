//! The growing edge of an RFC 6962 tree, in tiles.

use tlog_tiles::{EMPTY_HASH, Hash, Tile, node_hash};

use crate::layout::{self, TILE_WIDTH};

/// A tile that became full.
#[derive(Debug, Clone)]
pub(crate) struct FullTile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The tree's right edge: the tiles that are not yet full, level by level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of this size, from its unfinished tiles.
    pub(crate) fn new(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; returns the tiles that it made full.
    pub(crate) fn push(&mut self, leaf: Hash) -> Vec<FullTile> {
        let mut full = Vec::new();
        let mut hash = leaf;
        self.size += 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(256));
            }
            let tile = &mut self.levels[level];
            tile.push(hash);
            if (tile.len() as u64) < TILE_WIDTH {
                break;
            }
            let bytes = bytes_of(tile);
            tile.clear();
            hash = Tile::subtree_hash(&bytes);
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            let index = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            full.push(FullTile { level, index, bytes });
        }
        full
    }

    /// The unfinished tiles: level, index, hashes.
    pub(crate) fn partial(&self) -> impl Iterator<Item = (u8, u64, Vec<u8>)> + '_ {
        self.levels.iter().enumerate().filter(|(_, tile)| !tile.is_empty()).map(|(level, tile)| {
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            (level, self.size >> (8 * (u32::from(level) + 1)), bytes_of(tile))
        })
    }

    /// The hash over all leaves.
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for tile in &self.levels {
            // From the right: the smallest perfect subtree of this tile first.
            let mut end = tile.len();
            while end > 0 {
                let width = 1 << end.trailing_zeros();
                let left = perfect(&tile[end - width..end]);
                root = Some(root.map_or(left, |right| node_hash(left, right)));
                end -= width;
            }
        }
        root.unwrap_or(EMPTY_HASH)
    }
}

fn perfect(hashes: &[Hash]) -> Hash {
    if let [one] = hashes {
        return *one;
    }
    let (left, right) = hashes.split_at(hashes.len() / 2);
    node_hash(perfect(left), perfect(right))
}

pub(crate) fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * 32);
    for hash in hashes {
        bytes.extend_from_slice(&hash.0);
    }
    bytes
}

pub(crate) fn hashes_of(bytes: &[u8]) -> Vec<Hash> {
    each_hash(bytes).collect()
}

pub(crate) fn each_hash(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    let (whole, _) = bytes.as_chunks::<32>();
    whole.iter().map(|hash| Hash(*hash))
}

/// The unfinished tiles of a tree of this size: level, index, width.
pub(crate) fn partial_tiles(size: u64) -> impl Iterator<Item = (u8, u64, u64)> {
    (0..layout::levels(size)).map(move |level| {
        let nodes = size >> (8 * u32::from(level));
        (level, nodes / TILE_WIDTH, nodes % TILE_WIDTH)
    })
}
