//! Tokens that say which version of which agent calls: JWTs signed with Ed25519 (RFC 7519, RFC 8037).
//!
//! One algorithm, one key, one spelling: a token is taken apart here and not by a library that knows more of them, so
//! that nothing in it chooses how it is checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use lockgate_model::identity::{Identity, Issuer};
use lockgate_model::ids::{AgentName, IdentityId, VersionName};
use lockgate_model::ports::PortError;
use lockgate_model::version::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Who issues.
const ISSUER: &str = "lockgate";
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

/// Why a token is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error("there is no bearer token")]
    Missing,
    /// It is no token of ours, whatever it is.
    #[error("the token cannot be read")]
    Malformed,
    /// Another algorithm, or none.
    #[error("the token is not signed with Ed25519")]
    Algorithm,
    /// Another key.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature is another text's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Someone else's, or for someone else.
    #[error("the token is not for calls through Lockgate")]
    Audience,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It begins in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A security event cut its version off.
    #[error("the token's version was cut off after a security event")]
    CutOff,
    /// Its agent has no such version.
    #[error("the token's version is not known")]
    UnknownVersion,
    /// The version of this name is another one now.
    #[error("the token was issued for another content of its version")]
    OtherManifest,
    /// Someone revoked it.
    #[error("the token was revoked")]
    Revoked,
}

/// Signs tokens.
pub struct Signer {
    key: SigningKey,
    kid: String,
}

impl Signer {
    /// With this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let kid = key_id(&key.verifying_key());
        Self { key, kid }
    }

    /// What knows its tokens again.
    pub fn verifier(&self) -> Verifier {
        Verifier { key: self.key.verifying_key(), kid: self.kid.clone() }
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
        let header = Header { alg: "EdDSA".into(), typ: "JWT".into(), kid: self.kid.clone() };
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

/// Knows tokens again.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: VerifyingKey,
    kid: String,
}

impl Verifier {
    /// What a token says, if it is ours and of this time. Whether its version exists and nobody revoked it is for
    /// whoever has the snapshot.
    pub fn verify(&self, token: &str, now_wall_ms: i64) -> Result<Identity, Refused> {
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
        if header.kid != self.kid {
            return Err(Refused::UnknownKey);
        }
        let signature =
            Signature::from_slice(&decode(signature)?).map_err(|_| Refused::Signature)?;
        self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| Refused::Signature)?;
        let claims: Claims =
            serde_json::from_slice(&decode(claims)?).map_err(|_| Refused::Malformed)?;
        valid(claims, now_wall_ms.div_euclid(1_000))
    }
}

/// The one field that is looked at before anything else, so that the reason is the right one.
#[derive(Deserialize)]
struct Algorithm {
    alg: String,
}

fn valid(claims: Claims, now_s: i64) -> Result<Identity, Refused> {
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
    })
}

/// The first bytes of the key's SHA-256, in hex.
fn key_id(key: &VerifyingKey) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let first: [u8; 8] = std::array::from_fn(|at| digest[at]);
    format!("{:016x}", u64::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_500;
    const NOW_S: i64 = 1_800_000_000;

    fn signer() -> Signer {
        Signer::new(&[7; 32])
    }

    fn identity() -> Identity {
        Identity {
            id: IdentityId(Uuid::from_u128(1)),
            agent: "support".parse().unwrap(),
            version: "v2".parse().unwrap(),
            manifest: Digest::of(b"manifest"),
            issued_wall_s: NOW_S,
            expires_wall_s: NOW_S + 60,
        }
    }

    fn verify(token: &str) -> Result<Identity, Refused> {
        signer().verifier().verify(token, NOW_MS)
    }

    fn header() -> Value {
        json!({ "alg": "EdDSA", "typ": "JWT", "kid": signer().kid })
    }

    fn claims() -> Value {
        json!({
            "iss": "lockgate", "aud": "lockgate-egress", "sub": "support/v2", "jti": Uuid::from_u128(1),
            "iat": NOW_S, "exp": NOW_S + 60, "lockgate_manifest": Digest::of(b"manifest"),
        })
    }

    fn with(mut value: Value, field: &str, is: Value) -> Value {
        value[field] = is;
        value
    }

    #[test]
    fn a_token_says_who_it_is_for_as_long_as_it_lasts() {
        let token = signer().issue(&identity()).unwrap();
        assert_eq!(verify(&token), Ok(identity()));
        let verifier = signer().verifier();
        assert_eq!(verifier.verify(&token, NOW_MS + 59_000), Ok(identity()));
        assert_eq!(verifier.verify(&token, NOW_MS + 60_000), Err(Refused::Expired));
        assert_eq!(verifier.verify(&token, NOW_MS - 60_000), Ok(identity()));
        assert_eq!(verifier.verify(&token, NOW_MS - 61_000), Err(Refused::NotYetValid));
    }

    #[test]
    fn nothing_in_a_token_chooses_how_it_is_checked() {
        let sign = |header: &Value| signer().sign(header, &claims()).unwrap();
        for algorithm in ["none", "None", "HS256", "ES256", "RS256", "Ed25519", "eddsa", ""] {
            let token = sign(&with(header(), "alg", algorithm.into()));
            assert_eq!(verify(&token), Err(Refused::Algorithm), "{algorithm}");
            let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
            assert!(verify(&unsigned).is_err());
        }
        // The public key as a shared secret.
        let token = sign(&with(header(), "alg", "HS256".into()));
        let text = token.rsplit_once('.').unwrap().0;
        let public = signer().key.verifying_key();
        let mut mac = Hmac::<Sha256>::new_from_slice(public.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        assert_eq!(verify(&forged), Err(Refused::Algorithm));
        let text = sign(&header());
        let text = text.rsplit_once('.').unwrap().0;
        assert_eq!(verify(&format!("{text}.")), Err(Refused::Signature));
        for (field, is) in [
            ("jwk", json!({ "kty": "OKP" })),
            ("jku", "https://evil.example/keys".into()),
            ("crit", json!(["exp"])),
            ("typ", "at+jwt".into()),
        ] {
            assert_eq!(
                verify(&sign(&with(header(), field, is))),
                Err(Refused::Malformed),
                "{field}"
            );
        }
        assert_eq!(verify(&sign(&with(header(), "kid", "0".into()))), Err(Refused::UnknownKey));
    }

    #[test]
    fn another_key_is_nobodys() {
        let other = Signer::new(&[8; 32]);
        assert_eq!(verify(&other.issue(&identity()).unwrap()), Err(Refused::UnknownKey));
        let disguised = Signer { kid: signer().kid, ..other };
        assert_eq!(verify(&disguised.issue(&identity()).unwrap()), Err(Refused::Signature));
    }

    #[test]
    fn claims_are_exactly_these() {
        let check = |claims: &Value| verify(&signer().sign(&header(), claims).unwrap());
        assert_eq!(check(&claims()), Ok(identity()));
        for (field, is, refused) in [
            ("aud", json!("lockgate"), Refused::Audience),
            ("aud", json!(["lockgate-egress"]), Refused::Malformed),
            ("iss", json!("somebody"), Refused::Audience),
            ("sub", json!("support"), Refused::Malformed),
            ("sub", json!("support/v2/x"), Refused::Malformed),
            ("sub", json!("../v2"), Refused::Malformed),
            ("exp", json!(NOW_S), Refused::Expired),
            ("exp", json!("never"), Refused::Malformed),
            ("exp", Value::Null, Refused::Malformed),
            ("iat", json!(NOW_S + 61), Refused::NotYetValid),
            ("iat", json!(i64::MAX), Refused::NotYetValid),
            ("jti", json!("1"), Refused::Malformed),
            ("admin", json!(true), Refused::Malformed),
        ] {
            let is_shown = is.clone();
            assert_eq!(check(&with(claims(), field, is)), Err(refused), "{field} {is_shown}");
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove("exp");
        assert_eq!(check(&without), Err(Refused::Malformed));
    }

    proptest! {
        #[test]
        fn a_token_that_was_changed_anywhere_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let token = signer().issue(&identity()).unwrap();
            let mut bytes = token.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(changed) = String::from_utf8(bytes) && changed != token {
                prop_assert!(verify(&changed).is_err());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,300}") {
            prop_assert!(verify(&text).is_err());
        }
    }
}
