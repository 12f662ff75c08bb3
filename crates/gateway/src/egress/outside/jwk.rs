//! Keys of issuers outside (RFC 7517, RFC 7518, RFC 8037), and what they have signed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use crate::protocol::json;

/// Keys of one issuer.
const KEYS_MAX: usize = 64;
/// The longest name of a key.
const KID_BYTES_MAX: usize = 256;
/// A modulus of 8192 bits.
const RSA_BYTES_MAX: usize = 1_024;
/// A modulus of 2048 bits.
const RSA_BYTES_MIN: usize = 256;
const EXPONENT_BYTES_MAX: usize = 8;

/// How a token may be signed. Nothing symmetric, and not "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alg {
    Rs256,
    Es256,
    EdDsa,
}

impl Alg {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key, good for one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Jwk {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
    Ed25519(VerifyingKey),
}

impl Jwk {
    /// Whether the key is one for this algorithm: the token does not choose.
    pub(super) fn is_for(&self, alg: Alg) -> bool {
        let own = match self {
            Self::Rsa { .. } => Alg::Rs256,
            Self::P256(_) => Alg::Es256,
            Self::Ed25519(_) => Alg::EdDsa,
        };
        own == alg
    }

    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, text, signature)
                .is_ok(),
            Self::P256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(text, signature)
                .is_ok(),
            Self::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
        }
    }
}

/// By their names.
pub(super) type Set = HashMap<String, Arc<Jwk>>;

/// Reads a set of keys. Keys of other kinds and for other uses are left out, and so are two of one name.
pub(super) fn set(bytes: &[u8], is_svid: bool) -> Result<Set, &'static str> {
    let read =
        json::value(bytes, json::Keys::Exact).map_err(|_| "it is not JSON with one meaning")?;
    let keys = read.get("keys").and_then(Value::as_array).ok_or("it has no `keys`")?;
    if keys.len() > KEYS_MAX {
        return Err("it has too many keys");
    }
    let mut set = Set::new();
    let mut twice = Vec::new();
    for (kid, key) in keys.iter().filter_map(|key| one(key.as_object()?, is_svid)) {
        match set.entry(kid) {
            Entry::Occupied(there) => twice.push(there.key().clone()),
            Entry::Vacant(free) => drop(free.insert(Arc::new(key))),
        }
    }
    set.retain(|kid, _| !twice.contains(kid));
    Ok(set)
}

fn one(key: &Map<String, Value>, is_svid: bool) -> Option<(String, Jwk)> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let kid = text("kid").filter(|kid| !kid.is_empty() && kid.len() <= KID_BYTES_MAX)?;
    // A bundle has keys of X.509 too (SPIFFE, trust domain and bundle, 4.2.2).
    let is_for_tokens = match key.get("use") {
        Some(used) => used == if is_svid { "jwt-svid" } else { "sig" },
        None => !is_svid,
    };
    let verifies = key
        .get("key_ops")
        .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    // Whoever publishes a private key has told everybody.
    if !is_for_tokens || !verifies || key.contains_key("d") {
        return None;
    }
    let found = material(key)?;
    let is_its_own = key
        .get("alg")
        .is_none_or(|alg| alg.as_str().and_then(Alg::of).is_some_and(|alg| found.is_for(alg)));
    is_its_own.then(|| (kid.to_owned(), found))
}

fn material(key: &Map<String, Value>) -> Option<Jwk> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    match (text("kty")?, text("crv")) {
        ("RSA", None) => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            let is_sound = (RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&n.len())
                && (1..=EXPONENT_BYTES_MAX).contains(&e.len());
            is_sound.then_some(Jwk::Rsa { n, e })
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let is_sound = x.len() == 32 && y.len() == 32;
            is_sound.then(|| Jwk::P256([&[4][..], &x, &y].concat()))
        }
        ("OKP", Some("Ed25519")) => {
            let key = VerifyingKey::from_bytes(&bytes("x")?.try_into().ok()?).ok()?;
            (!key.is_weak()).then_some(Jwk::Ed25519(key))
        }
        _ => None,
    }
}
