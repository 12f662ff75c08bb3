//! The file form of issuers outside.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::field::Field;
use crate::config::text::{
    DurationText, JwksText, NameText, SomeText, SpiffeIdText, TrustDomainText, UrlText,
};

/// What an issuer issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IssuerKind")]
pub(in crate::config) enum IssuerSpeaks {
    /// JWTs of `OpenID` Connect.
    Oidc,
    /// JWT-SVIDs of SPIFFE.
    Spiffe,
}

/// An issuer outside, whose tokens say which version of an agent calls.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    rename = "Issuer",
    extend("required" = ["name", "kind", "audience", "map"])
)]
pub(in crate::config) struct IssuerFile {
    /// Its name, unique in the file.
    pub(in crate::config) name: Field<NameText>,
    /// What it issues.
    pub(in crate::config) kind: Field<IssuerSpeaks>,
    /// What tokens of `OpenID` Connect say in `iss`, to the letter.
    pub(in crate::config) issuer: Field<UrlText>,
    /// The trust domain of a SPIFFE issuer.
    pub(in crate::config) trust_domain: Field<TrustDomainText>,
    /// Whom tokens must be for: it is in their `aud`.
    pub(in crate::config) audience: Field<SomeText>,
    /// Where its keys are: a URL, or `file:PATH`. Default: of `OpenID` Connect what the issuer's discovery document says; a
    /// SPIFFE issuer has to have one.
    pub(in crate::config) jwks: Field<JwksText>,
    /// How often the keys are read. Default: 5m.
    pub(in crate::config) refresh: Field<DurationText>,
    /// How long keys are good that cannot be read again. Default: 24h.
    pub(in crate::config) max_age: Field<DurationText>,
    /// Whom its tokens stand for. Other tokens are refused.
    #[schemars(extend("minItems" = 1, "maxItems" = 1024))]
    pub(in crate::config) map: Field<Vec<Field<MappedFile>>>,
}

/// Tokens that stand for one version of an agent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Mapped", extend("required" = ["agent", "version"]))]
pub(in crate::config) struct MappedFile {
    /// Claims that a token of `OpenID` Connect has, all of them and to the letter.
    pub(in crate::config) claims: Field<BTreeMap<String, Field<SomeText>>>,
    /// The workload of a SPIFFE issuer, whole.
    pub(in crate::config) spiffe_id: Field<SpiffeIdText>,
    /// The agent.
    pub(in crate::config) agent: Field<NameText>,
    /// Its version.
    pub(in crate::config) version: Field<NameText>,
}
