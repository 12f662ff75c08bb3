//! Tokens that say which version of which agent calls: JWTs signed with Ed25519 (RFC 7519, RFC 8037).
//!
//! One algorithm, one spelling, and of keys those that the snapshot has: a token is taken apart here and not by a library
//! that knows more of them, so that nothing in it chooses how it is checked.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use lockgate_model::identity::{Identity, IdentityKey, Issuer, KeyId, Voucher};
use lockgate_model::ids::{AgentName, IdentityId, VersionName};
use lockgate_model::ports::PortError;
use lockgate_model::version::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::error;

pub use crate::egress::refused::Refused;
use crate::live::lock;

/// Who issues.
pub(super) const ISSUER: &str = "lockgate";
/// Whom tokens are for. One for anybody else is refused.
const AUDIENCE: &str = "lockgate-egress";
/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 2_048;
/// How far the issuer's clock may be ahead of ours.
const AHEAD_MAX_S: i64 = 60;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: IdentityId,
    iat: i64,
    exp: i64,
    /// Digest of the version's manifest.
    lockgate_manifest: Digest,
}

/// Signs tokens with one key.
pub struct Signer {
    key: SigningKey,
    kid: KeyId,
}

impl Signer {
    /// With this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let kid = key_id(&key.verifying_key());
        Self { key, kid }
    }

    /// What knows its tokens again.
    pub fn public(&self) -> IdentityKey {
        let public = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        IdentityKey { kid: self.kid.clone(), public, ends_wall_ms: None }
    }

    fn sign<H: Serialize, C: Serialize>(
        &self,
        header: &H,
        claims: &C,
    ) -> serde_json::Result<String> {
        let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let text =
            format!("{}.{}", part(serde_json::to_vec(header)?), part(serde_json::to_vec(claims)?));
        let signature = self.key.sign(text.as_bytes());
        Ok(format!("{text}.{}", part(signature.to_bytes().to_vec())))
    }
}

impl Issuer for Signer {
    fn issue(&self, identity: &Identity) -> Result<String, PortError> {
        let header = Header { alg: "EdDSA".into(), typ: "JWT".into(), kid: self.kid.to_string() };
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: format!("{}/{}", identity.agent, identity.version),
            jti: identity.id,
            iat: identity.issued_wall_s,
            exp: identity.expires_wall_s,
            lockgate_manifest: identity.manifest.clone(),
        };
        self.sign(&header, &claims).map_err(PortError::new)
    }
}

/// Tokens whose signature was found to be right are remembered up to here, by their SHA-256; then it begins anew.
const SEEN_MAX: usize = 4_096;

/// Knows tokens of some keys again.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    keys: HashMap<KeyId, Key>,
    /// A signature takes longer than everything else about a call; what a token says is looked at each time.
    seen: Mutex<HashSet<[u8; 32]>>,
}

#[derive(Debug, Clone)]
struct Key {
    public: VerifyingKey,
    ends_wall_ms: Option<i64>,
}

impl Verifier {
    /// Of these keys. What is no key is left out: its tokens are refused, and no other ones.
    pub(crate) fn new(keys: &[IdentityKey]) -> Self {
        let read = keys.iter().filter_map(|one| {
            let key = Key::read(one);
            if key.is_none() {
                error!(kid = %one.kid, "a key of tokens cannot be read; its tokens are refused");
            }
            Some((one.kid.clone(), key?))
        });
        Self { keys: read.collect(), seen: Mutex::default() }
    }

    /// Whether its tokens may be good.
    pub(crate) fn holds(&self, kid: &KeyId) -> bool {
        self.keys.contains_key(kid)
    }

    /// What a token says, if it is ours and of this time. Whether its version exists and nobody revoked it is for
    /// whoever has the snapshot.
    pub(crate) fn verify(&self, token: &str, now_wall_ms: i64) -> Result<Identity, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        let (text, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, claims) = text.split_once('.').ok_or(Refused::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed);
        let algorithm: Algorithm =
            serde_json::from_slice(&decode(header)?).map_err(|_| Refused::Malformed)?;
        if algorithm.alg != "EdDSA" {
            return Err(Refused::Algorithm);
        }
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| Refused::Malformed)?;
        if header.typ != "JWT" {
            return Err(Refused::Malformed);
        }
        let kid: KeyId = header.kid.parse().map_err(|_| Refused::UnknownKey)?;
        let key = self.keys.get(&kid).ok_or(Refused::UnknownKey)?;
        if key.ends_wall_ms.is_some_and(|ends| now_wall_ms >= ends) {
            return Err(Refused::UnknownKey);
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if !lock(&self.seen).contains(&digest) {
            let signature =
                Signature::from_slice(&decode(signature)?).map_err(|_| Refused::Signature)?;
            key.public
                .verify_strict(text.as_bytes(), &signature)
                .map_err(|_| Refused::Signature)?;
            let mut seen = lock(&self.seen);
            if seen.len() >= SEEN_MAX {
                seen.clear();
            }
            seen.insert(digest);
        }
        let claims: Claims =
            serde_json::from_slice(&decode(claims)?).map_err(|_| Refused::Malformed)?;
        let mut identity = valid(claims, kid, now_wall_ms.div_euclid(1_000))?;
        // So that what is open ends with its key.
        if let Some(ends) = key.ends_wall_ms {
            identity.expires_wall_s = identity.expires_wall_s.min(ends.div_euclid(1_000));
        }
        Ok(identity)
    }
}

impl Key {
    fn read(key: &IdentityKey) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(&key.public).ok()?;
        let public = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        let is_itself = key_id(&public) == key.kid && !public.is_weak();
        is_itself.then_some(Self { public, ends_wall_ms: key.ends_wall_ms })
    }
}

/// The one field that is looked at before anything else, so that the reason is the right one.
#[derive(Deserialize)]
struct Algorithm {
    alg: String,
}

fn valid(claims: Claims, key: KeyId, now_s: i64) -> Result<Identity, Refused> {
    if claims.iss != ISSUER || claims.aud != AUDIENCE {
        return Err(Refused::Audience);
    }
    if now_s >= claims.exp {
        return Err(Refused::Expired);
    }
    if claims.iat > now_s.saturating_add(AHEAD_MAX_S) {
        return Err(Refused::NotYetValid);
    }
    let (agent, version) = claims.sub.split_once('/').ok_or(Refused::Malformed)?;
    let agent: AgentName = agent.parse().map_err(|_| Refused::Malformed)?;
    let version: VersionName = version.parse().map_err(|_| Refused::Malformed)?;
    Ok(Identity {
        id: claims.jti,
        agent,
        version,
        manifest: claims.lockgate_manifest,
        issued_wall_s: claims.iat,
        expires_wall_s: claims.exp,
        voucher: Voucher::Key(key),
        acting: None,
    })
}

fn key_id(key: &VerifyingKey) -> KeyId {
    let digest = Sha256::digest(key.as_bytes());
    KeyId::of(std::array::from_fn(|at| digest[at]))
}

/// Somebody for tests that ask nothing about tokens: good from the second 0 to the second 1.
#[cfg(test)]
pub(crate) fn somebody(agent: &str, version: &str) -> Identity {
    Identity {
        id: IdentityId(uuid::Uuid::from_u128(1)),
        agent: agent.parse().unwrap(),
        version: version.parse().unwrap(),
        manifest: Digest::of(b"m"),
        issued_wall_s: 0,
        expires_wall_s: 1,
        voucher: Voucher::Key(KeyId::of([1; 8])),
        acting: None,
    }
}

#[cfg(test)]
mod tests;
