//! Issuers outside whose tokens say which version of an agent calls, as configuration defines them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, IssuerName, VersionName};

/// An issuer, what is believed of it, and whom its tokens stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideIssuer {
    /// Its name here.
    pub name: IssuerName,
    /// What it issues.
    pub kind: IssuerKind,
    /// Whom tokens must be for (`aud`).
    pub audience: String,
    /// Where its keys are. Configuration alone says so: nothing in a token does.
    pub jwks: JwksAt,
    /// How often they are read.
    pub refresh_ms: u64,
    /// How long they are good when they cannot be read again.
    pub max_age_ms: u64,
    /// Whom its tokens stand for. No token can be meant by two entries.
    pub map: Vec<Mapped>,
}

/// What an issuer issues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerKind {
    /// ID or access tokens of `OpenID` Connect, which are JWTs.
    Oidc {
        /// What they say in `iss`.
        issuer: String,
    },
    /// JWT-SVIDs of SPIFFE.
    Spiffe {
        /// The trust domain of every `sub`.
        trust_domain: String,
    },
}

/// Where a set of keys is (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JwksAt {
    /// A file.
    File(String),
    /// A URL.
    Url(String),
    /// Where the issuer's own discovery document says.
    Discovery,
}

/// Tokens that stand for one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Which.
    pub who: Who,
    /// The agent.
    pub agent: AgentName,
    /// Its version.
    pub version: VersionName,
}

/// Which tokens of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Those with all these claims, which are texts.
    Claims(BTreeMap<String, String>),
    /// Those of this workload.
    SpiffeId(String),
}

impl Who {
    /// Whether one token could be meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Claims(one), Self::Claims(other)) => {
                one.iter().all(|(name, value)| other.get(name).is_none_or(|is| is == value))
            }
            (one, other) => one == other,
        }
    }
}

/// The longest SPIFFE id (SPIFFE-ID 2.3).
const SPIFFE_ID_BYTES_MAX: usize = 2_048;
/// The longest trust domain (SPIFFE-ID 2.1).
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// Whether a text is a trust domain: no wildcard, no port, one spelling.
pub fn is_trust_domain(text: &str) -> bool {
    let is_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    !text.is_empty() && text.len() <= TRUST_DOMAIN_BYTES_MAX && text.chars().all(is_one)
}

/// The trust domain of a workload's SPIFFE id; `None` for what is none.
pub fn trust_domain_of(id: &str) -> Option<&str> {
    let (domain, path) = id.strip_prefix("spiffe://")?.split_once('/')?;
    let is_one = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_one);
    let is_id = id.len() <= SPIFFE_ID_BYTES_MAX
        && is_trust_domain(domain)
        && path.split('/').all(is_segment);
    is_id.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(pairs: &[(&str, &str)]) -> Who {
        Who::Claims(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn two_entries_overlap_unless_a_claim_tells_them_apart() {
        let one = claims(&[("sub", "a"), ("env", "prod")]);
        for (other, overlaps) in [
            (claims(&[("sub", "a")]), true),
            (claims(&[("sub", "a"), ("env", "test")]), false),
            (claims(&[("sub", "b")]), false),
            (claims(&[("team", "x")]), true),
            (claims(&[("sub", "a"), ("env", "prod")]), true),
        ] {
            assert_eq!(one.overlaps(&other), overlaps, "{other:?}");
            assert_eq!(other.overlaps(&one), overlaps, "{other:?}");
        }
        let id = Who::SpiffeId("spiffe://example.org/a".into());
        assert!(
            id.overlaps(&id.clone())
                && !id.overlaps(&Who::SpiffeId("spiffe://example.org/b".into()))
        );
    }

    #[test]
    fn a_spiffe_id_has_one_spelling() {
        assert_eq!(
            trust_domain_of("spiffe://example.org/ns/agents/sa/support-v2"),
            Some("example.org")
        );
        for text in [
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/a/",
            "spiffe://example.org//a",
            "spiffe://example.org/./a",
            "spiffe://example.org/../a",
            "spiffe://Example.org/a",
            "spiffe://*.example.org/a",
            "spiffe://example.org:80/a",
            "spiffe://u@example.org/a",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a#b",
            "spiffe://example.org/a%20b",
            "SPIFFE://example.org/a",
            "https://example.org/a",
            "spiffe:///a",
            "",
        ] {
            assert_eq!(trust_domain_of(text), None, "{text}");
        }
        assert_eq!(trust_domain_of(&format!("spiffe://example.org/{}", "a".repeat(2_048))), None);
    }
}
