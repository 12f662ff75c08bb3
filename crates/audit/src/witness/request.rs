//! What a log asks of a witness: `add-checkpoint` of <https://c2sp.org/tlog-witness>.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::AuditError;

/// The most hashes that a proof may have.
const PROOF_MAX: usize = 63;

/// A checkpoint, and the proof that it goes on from an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Records under the older checkpoint; 0 when there is none.
    pub old_size: u64,
    /// The proof of consistency, RFC 6962 section 2.1.2.
    pub proof: Vec<[u8; 32]>,
    /// The signed note.
    pub note: Vec<u8>,
}

impl AddCheckpoint {
    /// The largest body that is read, in bytes: room for sixteen signatures of the longest kind.
    pub const MAX_BYTES: usize = 128 << 10;

    /// The body of the request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{}", BASE64_STANDARD.encode(hash));
        }
        text.push('\n');
        [text.as_bytes(), &self.note].concat()
    }

    /// Reads it. Only the one spelling of it is taken.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuditError> {
        let wrong = |why: &str| AuditError::Malformed { what: "the request", why: why.to_owned() };
        if bytes.len() > Self::MAX_BYTES {
            return Err(wrong("it is too long"));
        }
        let end = bytes
            .windows(2)
            .position(|pair| pair == b"\n\n")
            .ok_or_else(|| wrong("there is no empty line before its checkpoint"))?;
        let head = str::from_utf8(&bytes[..end])
            .map_err(|_| wrong("what is before its checkpoint is not text"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| decimal(line.strip_prefix("old ")?))
            .ok_or_else(|| wrong("its first line is not `old` and a number"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_MAX {
                return Err(wrong("its proof has more than 63 hashes"));
            }
            let hash = BASE64_STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok());
            proof.push(hash.ok_or_else(|| wrong("a line of its proof is not a hash in base64"))?);
        }
        Ok(Self { old_size, proof, note: bytes[end + 2..].to_vec() })
    }
}

/// A number in its one spelling.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
