//! Tokens of issuers outside: JWTs of `OpenID` Connect (OIDC Core 3.1.3.7, RFC 7519) and JWT-SVIDs of SPIFFE.
//!
//! Which issuers there are, where their keys are, and whom their tokens stand for comes with the snapshot. A token says
//! only which of them is asked; nothing in it chooses an address, a key of its own, or an algorithm that its key is not
//! for. Keys are read beside calls (`fetch`), never on the way of one.

pub(crate) mod fetch;
mod jwk;
mod jwt;
pub(crate) mod keys;

use std::sync::Arc;

use lockgate_model::identity::{Identity, Voucher};
use lockgate_model::ids::{AgentName, IdentityId, IssuerName, VersionName};
use lockgate_model::issuer::{IssuerKind, JwksAt, OutsideIssuer, Who, trust_domain_of};
use lockgate_model::version::Digest;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use crate::egress::identity::{self, Refused};
use jwk::Alg;
use jwt::Jwt;
use keys::Keys;

/// How far clocks may be apart, seconds.
pub(crate) const LEEWAY_S: i64 = 60;
/// The longest name of a token.
const ID_BYTES_MAX: usize = 256;
/// Audiences of one token.
const AUDIENCES_MAX: usize = 16;

/// An issuer, made ready.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) settings: OutsideIssuer,
    /// Of everything that is configured of it: what was let in under other terms is looked at again.
    terms: Digest,
    /// Of where its keys come from.
    pub(crate) source: Digest,
}

impl Issuer {
    fn new(settings: &OutsideIssuer) -> Self {
        let place = (&settings.name, &settings.kind, &settings.jwks);
        Self {
            settings: settings.clone(),
            terms: Digest::of_json(settings),
            source: Digest::of_json(&place),
        }
    }

    pub(crate) fn is_svid(&self) -> bool {
        matches!(self.settings.kind, IssuerKind::Spiffe { .. })
    }

    /// Whether a token that says this of itself is its own, if it is anybody's.
    fn is_meant(&self, claims: &Map<String, Value>) -> bool {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        match &self.settings.kind {
            IssuerKind::Oidc { issuer } => text("iss") == Some(issuer),
            IssuerKind::Spiffe { trust_domain } => {
                text("sub").and_then(trust_domain_of) == Some(trust_domain)
            }
        }
    }

    /// The one version that the token stands for.
    fn version_of(&self, claims: &Map<String, Value>) -> Option<(&AgentName, &VersionName)> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_meant = |who: &Who| match who {
            Who::Claims(wanted) => {
                !wanted.is_empty() && wanted.iter().all(|(name, is)| text(name) == Some(is))
            }
            Who::SpiffeId(id) => text("sub") == Some(id),
        };
        let mut meant = self.settings.map.iter().filter(|mapped| is_meant(&mapped.who));
        match (meant.next(), meant.next()) {
            (Some(one), None) => Some((&one.agent, &one.version)),
            _ => None,
        }
    }
}

/// Whose token it is, as its issuer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: IdentityId,
    pub(crate) agent: AgentName,
    pub(crate) version: VersionName,
    pub(crate) issued_wall_s: i64,
    pub(crate) expires_wall_s: i64,
    pub(crate) voucher: Voucher,
}

impl Said {
    /// As the version that has this manifest now.
    pub(crate) fn of(self, manifest: Digest) -> Identity {
        let Self { id, agent, version, issued_wall_s, expires_wall_s, voucher } = self;
        Identity {
            id,
            agent,
            version,
            manifest,
            issued_wall_s,
            expires_wall_s,
            voucher,
            acting: None,
        }
    }
}

/// Issuers that are believed.
#[derive(Debug, Default)]
pub(crate) struct Outside(Vec<Arc<Issuer>>);

impl Outside {
    /// From a snapshot.
    pub(crate) fn new(issuers: &[OutsideIssuer]) -> Self {
        Self(issuers.iter().map(|one| Arc::new(Issuer::new(one))).collect())
    }

    pub(crate) fn issuers(&self) -> &[Arc<Issuer>] {
        &self.0
    }

    /// Whether what an issuer vouched for under these terms still stands.
    pub(crate) fn stands(&self, name: &IssuerName, terms: &Digest, kid: &str, keys: &Keys) -> bool {
        let issuer = self.0.iter().find(|one| one.settings.name == *name && one.terms == *terms);
        issuer.is_some_and(|one| keys.holds(one, kid))
    }

    /// What a token says; `None` for one that no issuer outside is asked about. Whether the version exists and nobody
    /// revoked it is for whoever has the snapshot.
    pub(crate) fn verify(
        &self,
        keys: &Keys,
        token: &str,
        now_wall_s: i64,
    ) -> Option<Result<Said, Refused>> {
        // Without them everything is as if there were none.
        if self.0.is_empty() {
            return None;
        }
        let jwt = Jwt::read(token)?;
        match self.0.iter().find(|one| one.is_meant(&jwt.claims)) {
            Some(issuer) => Some(verify(issuer, keys, token, &jwt, now_wall_s)),
            None if jwt.claims.get("iss").is_some_and(|issuer| issuer == identity::ISSUER) => None,
            None => Some(Err(Refused::UnknownIssuer)),
        }
    }
}

fn verify(
    issuer: &Issuer,
    keys: &Keys,
    token: &str,
    jwt: &Jwt<'_>,
    now_wall_s: i64,
) -> Result<Said, Refused> {
    let kid = jwt.header(issuer.is_svid())?;
    let alg = Alg::of(jwt.alg()).filter(|alg| *alg != Alg::EdDsa || !issuer.is_svid());
    let alg = alg.ok_or(Refused::OutsideAlgorithm)?;
    let key = keys.find(issuer, kid)?;
    if !key.is_for(alg) {
        return Err(Refused::OutsideAlgorithm);
    }
    if !key.has_signed(jwt.signed.as_bytes(), &jwt.signature) {
        return Err(Refused::Signature);
    }
    // From here on it is the issuer who speaks.
    let claims = &jwt.claims;
    if !is_audience(claims.get("aud"), &issuer.settings.audience) {
        return Err(Refused::Audience);
    }
    let (issued_s, expires_s) = times(claims, now_wall_s)?;
    let (agent, version) = issuer.version_of(claims).ok_or(Refused::Unmapped)?;
    Ok(Said {
        id: id(&issuer.settings.name, claims, token)?,
        agent: agent.clone(),
        version: version.clone(),
        issued_wall_s: issued_s,
        expires_wall_s: expires_s.saturating_add(LEEWAY_S),
        voucher: Voucher::Issuer {
            name: issuer.settings.name.clone(),
            terms: issuer.terms.clone(),
            kid: kid.to_owned(),
        },
    })
}

fn is_audience(claim: Option<&Value>, audience: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => {
            all.len() <= AUDIENCES_MAX
                && all.iter().all(Value::is_string)
                && all.iter().any(|one| one == audience)
        }
        _ => false,
    }
}

/// When it was issued and when it is over, if it is good now.
fn times(claims: &Map<String, Value>, now_s: i64) -> Result<(i64, i64), Refused> {
    let expires_s = seconds(claims, "exp")?.ok_or(Refused::Undated)?;
    // Revoking a version counts from a second on.
    let issued_s = seconds(claims, "iat")?.ok_or(Refused::Undated)?;
    if now_s >= expires_s.saturating_add(LEEWAY_S) {
        return Err(Refused::Expired);
    }
    let begins_s = seconds(claims, "nbf")?.map_or(issued_s, |begins| begins.max(issued_s));
    if begins_s > now_s.saturating_add(LEEWAY_S) {
        return Err(Refused::NotYetValid);
    }
    Ok((issued_s, expires_s))
}

/// A date (RFC 7519, `NumericDate`), whole seconds of it.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refused> {
    // 2^53: above it, dates are not exact, and nobody means them.
    const MAX: f64 = 9_007_199_254_740_992.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_i64() {
        return if (0..=1 << 53).contains(&whole) {
            Ok(Some(whole))
        } else {
            Err(Refused::Malformed)
        };
    }
    let date =
        value.as_f64().filter(|date| (0.0..=MAX).contains(date)).ok_or(Refused::Malformed)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 2^53")]
    let whole = date.floor() as i64;
    Ok(Some(whole))
}

/// A name for the token: from its own, or else from all of it.
fn id(
    issuer: &IssuerName,
    claims: &Map<String, Value>,
    token: &str,
) -> Result<IdentityId, Refused> {
    let own = match claims.get("jti") {
        None => None,
        Some(Value::String(own)) if !own.is_empty() && own.len() <= ID_BYTES_MAX => Some(own),
        Some(_) => return Err(Refused::Malformed),
    };
    let (kind, named) = own.map_or(("token", token), |own| ("jti", own.as_str()));
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let what = serde_json::json!(["lockgate outside token 1", issuer, subject, kind, named]);
    let digest = Sha256::digest(what.to_string().as_bytes());
    let first: [u8; 16] = std::array::from_fn(|at| digest[at]);
    Ok(IdentityId(Builder::from_custom_bytes(first).into_uuid()))
}

/// Whether a text can be read as a token, whoever issued it.
pub(crate) fn is_token(text: &str) -> bool {
    let header = |jwt: Jwt<'_>| jwt.header(false).is_ok() || jwt.header(true).is_ok();
    Jwt::read(text).is_some_and(header)
}

/// How many keys can be read, and whether one of them takes the signature for its own.
pub(crate) fn keys_of(bytes: &[u8], signed: &[u8], signature: &[u8]) -> Option<(usize, bool)> {
    let keys = jwk::set(bytes, false).ok()?;
    let has_signed = keys.values().any(|key| key.has_signed(signed, signature));
    Some((keys.len(), has_signed))
}

impl Issuer {
    /// Where its keys are.
    pub(crate) fn jwks(&self) -> &JwksAt {
        &self.settings.jwks
    }
}

#[cfg(test)]
mod tests;
