//! Checking a bundle with nothing but the log's public key.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tlog_tiles::record_hash;

use super::{Manifest, disclosed};
use crate::RECORD_MAX_BYTES;
use crate::disk::{open_file, read_file};
use crate::keys::{Checkpoint, VerifierKey};
use crate::range_proof::{RangeCheck, RangeProof};
use crate::record::Placed;
use crate::rotation::Chain;
use crate::verify::hex;

/// The largest file beside the records, in bytes.
const SMALL_MAX_BYTES: u64 = 1 << 20;

/// A bundle that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleFound {
    /// Whose log.
    pub origin: String,
    /// The first record in it.
    pub first: u64,
    /// The record after the last.
    pub end: u64,
    /// Records under the checkpoint.
    pub size: u64,
    /// Names and texts of people that it discloses, each of which the signed record commits to.
    pub disclosed: u64,
    /// SHA-256 of the manifest, in hex; whoever made the bundle can say it another way.
    pub manifest_sha256: String,
}

/// The first thing that is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadItem {
    /// The file.
    pub file: String,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// In words.
    pub why: String,
}

impl fmt::Display for BadItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(seq) = self.seq {
            write!(f, ", record {seq}")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl BadItem {
    pub(super) fn new(file: &str, why: impl Into<String>) -> Self {
        Self { file: file.into(), seq: None, why: why.into() }
    }
}

/// Checks every byte of a bundle against keys that the checker has from elsewhere.
pub fn check_bundle(dir: &Path, keys: &[VerifierKey]) -> Result<BundleFound, BadItem> {
    let text = small(dir, "manifest.json")?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| BadItem::new("manifest.json", error.to_string()))?;
    if manifest.format != 1 || manifest.to_text().as_bytes() != text {
        return Err(BadItem::new("manifest.json", "it is not spelled as it was written"));
    }
    same_files(dir, &manifest)?;
    let chain = trusted(dir, keys)?;
    let note = small(dir, "checkpoint")?;
    let signed =
        chain.checkpoint(&note).map_err(|error| BadItem::new("checkpoint", error.to_string()))?;
    let proof = small(dir, "proof.json")?;
    let proof = std::str::from_utf8(&proof)
        .map_err(|error| BadItem::new("proof.json", error.to_string()))
        .and_then(|text| {
            RangeProof::parse(text).map_err(|error| BadItem::new("proof.json", error.to_string()))
        })?;
    let of_people = manifest.files.contains_key(disclosed::FILE);
    let disclosed = of_people.then(|| disclosed::Check::begin(dir)).transpose()?;
    let disclosed = records(dir, &proof, signed, disclosed)?;
    digests(dir, &manifest)?;
    let origin = chain.current().origin().to_owned();
    let expected = Manifest {
        end: proof.end,
        files: manifest.files.clone(),
        first: proof.first,
        format: 1,
        origin: origin.clone(),
        root: hex(&signed.root),
        size: signed.size,
    };
    if manifest != expected {
        return Err(BadItem::new(
            "manifest.json",
            "it says something else than the proved records",
        ));
    }
    Ok(BundleFound {
        origin,
        first: proof.first,
        end: proof.end,
        size: signed.size,
        disclosed,
        manifest_sha256: hex(&Sha256::digest(&text)),
    })
}

fn small(dir: &Path, name: &str) -> Result<Vec<u8>, BadItem> {
    let mut bytes = Vec::new();
    open_file(&dir.join(name))
        .and_then(|file| file.take(SMALL_MAX_BYTES).read_to_end(&mut bytes))
        .map_err(|error| BadItem::new(name, format!("it cannot be read: {error}")))?;
    Ok(bytes)
}

/// The files are those of the manifest, no more and no fewer.
fn same_files(dir: &Path, manifest: &Manifest) -> Result<(), BadItem> {
    let mut found = BTreeSet::new();
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(dir.join(&directory))
            .map_err(|error| BadItem::new(&directory, format!("it cannot be read: {error}")))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found.remove("manifest.json");
    for required in ["README.md", "checkpoint", "leaves", "log.keys", "proof.json", "records.jsonl"]
    {
        if !manifest.files.contains_key(required) {
            return Err(BadItem::new("manifest.json", format!("{required} is not in it")));
        }
    }
    for name in manifest.files.keys() {
        if !found.remove(name) {
            return Err(BadItem::new(name, "it is missing"));
        }
    }
    found.pop_first().map_or(Ok(()), |name| Err(BadItem::new(&name, "it is not in the manifest")))
}

/// The keys that may have signed: those given, and those that they passed the log on to.
fn trusted(dir: &Path, given: &[VerifierKey]) -> Result<Chain, BadItem> {
    let text = small(dir, "log.keys")?;
    let text =
        String::from_utf8(text).map_err(|error| BadItem::new("log.keys", error.to_string()))?;
    let first = VerifierKey::parse(text.lines().next().unwrap_or_default())
        .map_err(|error| BadItem::new("log.keys", error.to_string()))?;
    let chain = Chain::read(first, |name| read_file(&dir.join(name)))
        .map_err(|broken| BadItem::new(&broken.file, broken.why))?;
    if chain.keys_text() != text {
        return Err(BadItem::new("log.keys", "it does not name the log's keys"));
    }
    if !chain.has_one_of(given) {
        return Err(BadItem::new("log.keys", "the bundle is of another key than the one given"));
    }
    Ok(chain)
}

/// Records against leaves, leaves against the root.
///
/// What is disclosed is told last: it is worth nothing over records that were not signed.
fn records(
    dir: &Path,
    proof: &RangeProof,
    signed: Checkpoint,
    mut disclosed: Option<disclosed::Check<'_>>,
) -> Result<u64, BadItem> {
    let begin =
        || RangeCheck::begin(proof).map_err(|error| BadItem::new("proof.json", error.to_string()));
    let (mut by_leaves, mut by_records) = (begin()?, begin()?);
    let mut lines = Lines::open(dir, "records.jsonl", RECORD_MAX_BYTES)?;
    let mut leaves = Lines::open(dir, "leaves", 44)?;
    // Which of two is wrong when they differ: the one that does not give the signed root.
    let mut first_bad = None;
    let mut lie = None;
    for seq in proof.first..proof.end {
        let leaf = leaves
            .next()?
            .and_then(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok())
            .ok_or_else(|| at("leaves", seq, "there is no hash for it"))?;
        by_leaves.leaf(leaf);
        let record = lines.next()?.ok_or_else(|| {
            // Where a line is gone, all after it are in each other's place.
            let first = first_bad.unwrap_or(seq);
            at("records.jsonl", first, "it, or one after it, is missing")
        })?;
        let hash = record_hash(record).0;
        if first_bad.is_none() && hash != leaf {
            first_bad = Some(seq);
        } else if first_bad.is_none() && Placed::read(record).is_none_or(|placed| placed.seq != seq)
        {
            return Err(at("records.jsonl", seq, "it is another record"));
        }
        by_records.leaf(hash);
        if let (None, Some(disclosed)) = (&lie, &mut disclosed) {
            lie = disclosed.record(seq, record).err();
        }
    }
    let more = |file: &str| BadItem::new(file, "there is more in it than the proof is for");
    if lines.next()?.is_some() {
        return Err(more("records.jsonl"));
    }
    if leaves.next()?.is_some() {
        return Err(more("leaves"));
    }
    let leaves_hold = by_leaves.finish(signed);
    match first_bad {
        None => {
            leaves_hold.map_err(|error| BadItem::new("proof.json", error.to_string()))?;
            match (lie, disclosed) {
                (Some(lie), _) => Err(lie),
                (None, Some(disclosed)) => disclosed.finish(),
                (None, None) => Ok(0),
            }
        }
        Some(seq) if leaves_hold.is_ok() => {
            Err(at("records.jsonl", seq, "it is not the record that was signed"))
        }
        Some(seq) if by_records.finish(signed).is_ok() => {
            Err(at("leaves", seq, "it is not the hash of the record that was signed"))
        }
        Some(seq) => Err(at("records.jsonl", seq, "neither the record nor its hash was signed")),
    }
}

fn at(file: &str, seq: u64, why: &str) -> BadItem {
    BadItem { file: file.into(), seq: Some(seq), why: why.into() }
}

/// The lines of a file, none longer than it may be.
pub(super) struct Lines<'a> {
    name: &'a str,
    file: BufReader<File>,
    line: Vec<u8>,
    max: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn open(dir: &Path, name: &'a str, max: usize) -> Result<Self, BadItem> {
        let file = open_file(&dir.join(name))
            .map_err(|error| BadItem::new(name, format!("it cannot be read: {error}")))?;
        Ok(Self { name, file: BufReader::new(file), line: Vec::new(), max: max as u64 + 1 })
    }

    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, BadItem> {
        self.line.clear();
        self.file
            .by_ref()
            .take(self.max)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| BadItem::new(self.name, format!("it cannot be read: {error}")))?;
        if self.line.is_empty() {
            return Ok(None);
        }
        match self.line.strip_suffix(b"\n") {
            Some(line) => Ok(Some(line)),
            None => Err(BadItem::new(self.name, "a line is too long, or does not end")),
        }
    }
}

fn digests(dir: &Path, manifest: &Manifest) -> Result<(), BadItem> {
    for (name, expected) in &manifest.files {
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut file = open_file(&dir.join(name))
            .map_err(|error| BadItem::new(name, format!("it cannot be read: {error}")))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = file
                .read(&mut buffer)
                .map_err(|error| BadItem::new(name, format!("it cannot be read: {error}")))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            bytes += n as u64;
        }
        if bytes != expected.bytes || hex(&hash.finalize()) != expected.sha256 {
            return Err(BadItem::new(name, "it is not the file that the manifest names"));
        }
    }
    Ok(())
}
