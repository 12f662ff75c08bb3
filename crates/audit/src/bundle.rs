//! Evidence for an auditor: a range of records with what proves them, in a directory that needs no log.
//!
//! `records.jsonl` canonical bytes, one record a line · `leaves` their hashes · `proof.json` the rest of the tree ·
//! `checkpoint` the signed note · `log.keys` public keys · `rotation/N` what passed the log from key to key ·
//! `disclosed.jsonl` names and texts of people, if they are disclosed · `manifest.json` digests of all files · `README.md` how to check it with other tools.

mod check;
mod disclosed;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog_tiles::record_hash;

use crate::error::AuditError;
use crate::layout;
use crate::range_proof::prove_range;
use crate::read::Reader;
use crate::record::Record;
use crate::verify::hex;

pub use check::{BadItem, BundleFound, check_bundle};
pub use disclosed::Disclosure;

/// Records read at once.
const CHUNK: u64 = 256;
const README: &str = include_str!("bundle/README.md");

/// What a bundle holds, file by file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    end: u64,
    files: BTreeMap<String, Digest>,
    first: u64,
    format: u32,
    origin: String,
    root: String,
    size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    bytes: u64,
    sha256: String,
}

impl Manifest {
    fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("numbers and texts can be written");
        text + "\n"
    }
}

/// Writes a bundle of these records into an empty or new directory. Returns the manifest's SHA-256, in hex.
///
/// Only records under the checkpoint can be proved; the range must end there. Nobody is named in it unless that is
/// disclosed.
pub fn write_bundle(
    log: &Reader,
    wanted: Range<u64>,
    dir: &Path,
    disclosure: Option<Disclosure<'_>>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<String, AuditError> {
    let proof = prove_range(log, wanted.start, wanted.end)?;
    fs::create_dir_all(dir).map_err(AuditError::io("make", dir))?;
    let mut entries = fs::read_dir(dir).map_err(AuditError::io("read", dir))?;
    if entries.next().is_some() {
        return Err(AuditError::Missing(format!("{} is not empty", dir.display())));
    }
    let mut files = BTreeMap::new();
    records(log, wanted.clone(), dir, disclosure, &mut files, progress)?;
    let mut put = |name: &str, bytes: &[u8]| -> Result<(), AuditError> {
        let mut out = Out::create(dir, name)?;
        out.write(bytes)?;
        files.insert(name.to_owned(), out.finish()?);
        Ok(())
    };
    put("proof.json", proof.to_text().as_bytes())?;
    put("checkpoint", log.note())?;
    let keys: Vec<String> = log.keys().iter().map(ToString::to_string).collect();
    put("log.keys", (keys.join("\n") + "\n").as_bytes())?;
    for number in 1..log.keys().len() {
        let name = layout::rotation_name(number);
        let path = log.root.join(&name);
        put(&name, &log.file(&name).map_err(AuditError::io("read", &path))?)?;
    }
    put("README.md", README.as_bytes())?;
    let signed = log.checkpoint();
    let manifest = Manifest {
        end: wanted.end,
        files,
        first: wanted.start,
        format: 1,
        origin: log.keys().first().map(|key| key.origin().to_owned()).unwrap_or_default(),
        root: hex(&signed.root),
        size: signed.size,
    };
    // Last: without it a directory is no bundle.
    let mut out = Out::create(dir, "manifest.json")?;
    out.write(manifest.to_text().as_bytes())?;
    Ok(out.finish()?.sha256)
}

fn records(
    log: &Reader,
    wanted: Range<u64>,
    dir: &Path,
    disclosure: Option<Disclosure<'_>>,
    files: &mut BTreeMap<String, Digest>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), AuditError> {
    let (mut lines, mut leaves) = (Out::create(dir, "records.jsonl")?, Out::create(dir, "leaves")?);
    let mut disclosed = disclosure.map(|_| Out::create(dir, disclosed::FILE)).transpose()?;
    let mut at = wanted.start;
    while at < wanted.end {
        let until = ((at / CHUNK + 1) * CHUNK).min(wanted.end);
        for record in log.records(at..until)? {
            if record.contains(&b'\n') {
                return Err(AuditError::damaged(
                    &log.root,
                    format!("record {at} is not canonical"),
                ));
            }
            lines.write(&record)?;
            lines.write(b"\n")?;
            let leaf = BASE64_STANDARD.encode(record_hash(&record).0);
            leaves.write(leaf.as_bytes())?;
            leaves.write(b"\n")?;
            if let (Some(disclosure), Some(out)) = (&disclosure, &mut disclosed) {
                for line in disclosure.lines(&Record::parse(&record)?) {
                    out.write(&line)?;
                    out.write(b"\n")?;
                }
            }
        }
        at = until;
        progress(at - wanted.start, wanted.end - wanted.start);
    }
    files.insert("records.jsonl".into(), lines.finish()?);
    files.insert("leaves".into(), leaves.finish()?);
    if let Some(out) = disclosed {
        files.insert(disclosed::FILE.into(), out.finish()?);
    }
    Ok(())
}

/// A file of a bundle while it is written.
struct Out<'a> {
    dir: &'a Path,
    name: &'a str,
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl<'a> Out<'a> {
    fn create(dir: &'a Path, name: &'a str) -> Result<Self, AuditError> {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(AuditError::io("make", parent))?;
        }
        let file = File::create_new(&path).map_err(AuditError::io("write", &path))?;
        Ok(Self { dir, name, file: BufWriter::new(file), hash: Sha256::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| {
            let path = self.dir.join(self.name);
            AuditError::io("write", &path)(error)
        })
    }

    fn finish(self) -> Result<Digest, AuditError> {
        let path = self.dir.join(self.name);
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        file.and_then(|file| file.sync_all()).map_err(AuditError::io("write", &path))?;
        Ok(Digest { bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }
}
