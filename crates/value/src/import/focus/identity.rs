//! What tells one charge of a bill from another, however the bill was exported.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::event::{Invalid, Key};

/// Columns that tell charges apart, beside those that the event itself is made of. What a provider fills in later
/// (`InvoiceId`), names of what has an id, texts of many fields (`Tags`) and columns of one's own are not among them: they
/// come and go between exports of the same bill.
pub(super) const APART: [&str; 13] = [
    "BillingAccountId",
    "SubAccountId",
    "RegionId",
    "AvailabilityZone",
    "ResourceId",
    "SkuId",
    "SkuPriceId",
    "ChargeClass",
    "ChargeDescription",
    "CommitmentDiscountId",
    "CommitmentDiscountStatus",
    "ConsumedUnit",
    "PricingCategory",
];

/// Hex digits of a digest in a key, two for a byte.
const DIGEST_BYTES: usize = 16;

/// Charges of one file so far: how often each was there. Of a charge some 16 bytes are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(HashMap<u64, u32>);

impl Seen {
    /// The key of a charge. One that is alike in everything that tells them apart is the second, the third and so on, in
    /// whatever order they stand.
    pub(super) fn key(&mut self, parts: &[(&str, String)]) -> Result<Key, Invalid> {
        let digest = digest(parts);
        let mut short = [0; 8];
        short.copy_from_slice(&digest[..8]);
        let times = self.0.entry(u64::from_be_bytes(short)).or_default();
        *times = times.saturating_add(1);
        let mut key = String::from("focus-");
        for byte in digest {
            // Writing to a String does not fail.
            let _ = write!(key, "{byte:02x}");
        }
        if *times > 1 {
            let _ = write!(key, "-{times}");
        }
        key.parse()
    }
}

/// Of names and what stands under them, each with its length, so that no two lists are written alike. What is empty is
/// left out: an export may leave out the column, too.
fn digest(parts: &[(&str, String)]) -> [u8; DIGEST_BYTES] {
    let mut hash = Sha256::new();
    let there = parts.iter().filter(|(_, text)| !text.is_empty());
    for text in there.flat_map(|(name, text)| [*name, text]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut short = [0; DIGEST_BYTES];
    short.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
    short
}
