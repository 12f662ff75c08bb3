//! Issuers outside: what is believed of them, and whom their tokens stand for.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::{Unique, duration_within, items, name, some_text, target};
use crate::config::field::Field;
use crate::config::file::{IssuerFile, IssuerSpeaks, MappedFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{DAY_MS, MINUTE_MS, SECOND_MS};
use crate::config::url;
use crate::ids::{AgentName, VersionName};
use crate::issuer::{IssuerKind, JwksAt, Mapped, OutsideIssuer, Who, trust_domain_of};

/// Versions that there are.
pub(super) type Versions = HashSet<(AgentName, VersionName)>;

/// Claims that are looked at for every token anyway, or say nothing about whose it is.
const NOT_A_CLAIM: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];
const CLAIM_CHARS_MAX: usize = 512;
const CLAIMS_MAX: usize = 16;

pub(super) fn issuers(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<IssuerFile>>>,
    path: &Path,
    versions: &Versions,
) -> Vec<OutsideIssuer> {
    let (mut names, mut speakers) = (Unique::of("issuer"), Unique::of("issuer"));
    let mut issuers = Vec::new();
    for (path, file) in items(report, list, path) {
        let name_path = path.key("name");
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &name_path);
        }
        let name = name(report, &file.name, &name_path);
        let Some(speaks) = report.take(&file.kind, &path.key("kind")).copied() else { continue };
        let kind = kind(report, speaks, file, &path);
        if let Some(kind) = &kind {
            // Which one is asked about a token follows from what the token says of itself.
            let (says, field) = match kind {
                IssuerKind::Oidc { issuer } => (issuer, "issuer"),
                IssuerKind::Spiffe { trust_domain } => (trust_domain, "trust_domain"),
            };
            speakers.check(report, says, &path.key(field));
        }
        let jwks = jwks(report, speaks, file, &path);
        let audience = some_text(report, &file.audience, &path.key("audience"));
        let refresh = (10 * SECOND_MS, DAY_MS);
        let refresh_ms =
            duration_within(report, &file.refresh, &path.key("refresh"), refresh, 5 * MINUTE_MS);
        let age = (MINUTE_MS, 30 * DAY_MS);
        let max_age_ms = duration_within(report, &file.max_age, &path.key("max_age"), age, DAY_MS);
        if max_age_ms < refresh_ms {
            let message = "`max_age` is shorter than `refresh`: keys would be too old in between";
            let written = if file.max_age.is_missing() { "refresh" } else { "max_age" };
            report.error(&path.key(written), message, "read them more often, or keep them longer");
        }
        let map = map(report, speaks, kind.as_ref(), file, &path.key("map"), versions);
        if let (Some(name), Some(kind), Some(jwks), Some(audience)) = (name, kind, jwks, audience) {
            let issuer = OutsideIssuer { name, kind, audience, jwks, refresh_ms, max_age_ms, map };
            issuers.push(issuer);
        }
    }
    issuers
}

/// Who it is; what belongs to the other kind is an error.
fn kind(
    report: &mut Report<'_>,
    speaks: IssuerSpeaks,
    file: &IssuerFile,
    path: &Path,
) -> Option<IssuerKind> {
    let (needed, is_missing, other, is_there, example) = match speaks {
        IssuerSpeaks::Oidc => (
            "issuer",
            file.issuer.is_missing(),
            "trust_domain",
            !file.trust_domain.is_missing(),
            "add `issuer: https://idp.example.com`, as its tokens say it in `iss`",
        ),
        IssuerSpeaks::Spiffe => (
            "trust_domain",
            file.trust_domain.is_missing(),
            "issuer",
            !file.issuer.is_missing(),
            "add `trust_domain: example.org`",
        ),
    };
    if is_missing {
        report.missing(path, needed, format!("`{needed}` is missing"), example);
    }
    if is_there {
        let message = format!("an issuer of this kind has no `{other}`");
        report.key_error(&path.key(other), message, "leave it out, or set another `kind`");
    }
    match speaks {
        IssuerSpeaks::Oidc => {
            let path = path.key("issuer");
            let (_, target) = target(report, &file.issuer, &path)?;
            // To the letter: some end with a slash.
            let issuer = file.issuer.ok()?.0.clone();
            safe(report, &issuer, &target, &path).then_some(IssuerKind::Oidc { issuer })
        }
        IssuerSpeaks::Spiffe => {
            let trust_domain = report.take(&file.trust_domain, &path.key("trust_domain"))?;
            Some(IssuerKind::Spiffe { trust_domain: trust_domain.0.clone() })
        }
    }
}

/// Where its keys are.
fn jwks(
    report: &mut Report<'_>,
    speaks: IssuerSpeaks,
    file: &IssuerFile,
    path: &Path,
) -> Option<JwksAt> {
    if file.jwks.is_missing() {
        if speaks == IssuerSpeaks::Oidc {
            return Some(JwksAt::Discovery);
        }
        let example = "add `jwks: file:/etc/lockgate/bundle.json`, the trust domain's bundle";
        report.missing(path, "jwks", "`jwks` is missing", example);
        return None;
    }
    let path = path.key("jwks");
    let text = &report.take(&file.jwks, &path)?.0;
    if let Some(file) = text.strip_prefix("file:") {
        return Some(JwksAt::File(file.to_owned()));
    }
    match url::check(text) {
        Ok(target) => safe(report, text, &target, &path).then(|| JwksAt::Url(text.clone())),
        Err((problem, hint)) => {
            report.error(&path, format!("the URL in `jwks` {problem}"), hint);
            None
        }
    }
}

/// Whoever is on the way must not be able to put in keys of its own.
fn safe(report: &mut Report<'_>, text: &str, target: &url::Target, path: &Path) -> bool {
    let is_here = target.host == "localhost"
        || target.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_safe = text.starts_with("https://") || is_here;
    if !is_safe {
        let message = "whoever is on the way could put in keys of its own";
        report.error(path, message, "use `https://`; plain HTTP is for this machine alone");
    }
    is_safe
}

fn map(
    report: &mut Report<'_>,
    speaks: IssuerSpeaks,
    kind: Option<&IssuerKind>,
    file: &IssuerFile,
    path: &Path,
    versions: &Versions,
) -> Vec<Mapped> {
    let mut all: Vec<(Path, Mapped)> = Vec::new();
    for (path, file) in items(report, &file.map, path) {
        let who = who(report, speaks, kind, file, &path);
        let agent: Option<AgentName> = name(report, &file.agent, &path.key("agent"));
        let version: Option<VersionName> = name(report, &file.version, &path.key("version"));
        let (Some(who), Some(agent), Some(version)) = (who, agent, version) else { continue };
        if !versions.contains(&(agent.clone(), version.clone())) {
            let message = format!("there is no version `{version}` of an agent `{agent}`");
            report.error(&path.key("version"), message, "name one that `agents` has");
        }
        if let Some((first, _)) = all.iter().find(|(_, one)| one.who.overlaps(&who)) {
            let message = "a token could be meant by two entries".to_owned();
            let hint =
                format!("the other one is `{first}`; have both name a claim in which they differ");
            report.error(&path, message, hint);
        }
        all.push((path, Mapped { who, agent, version }));
    }
    all.into_iter().map(|(_, mapped)| mapped).collect()
}

/// Which tokens an entry is about.
fn who(
    report: &mut Report<'_>,
    speaks: IssuerSpeaks,
    kind: Option<&IssuerKind>,
    file: &MappedFile,
    path: &Path,
) -> Option<Who> {
    let (needed, is_missing, other, is_there, example) = match speaks {
        IssuerSpeaks::Oidc => (
            "claims",
            file.claims.is_missing(),
            "spiffe_id",
            !file.spiffe_id.is_missing(),
            "add `claims: { sub: \"…\" }`",
        ),
        IssuerSpeaks::Spiffe => (
            "spiffe_id",
            file.spiffe_id.is_missing(),
            "claims",
            !file.claims.is_missing(),
            "add `spiffe_id: spiffe://example.org/ns/agents/sa/support-v2`",
        ),
    };
    if is_missing {
        report.missing(path, needed, format!("`{needed}` is missing"), example);
    }
    if is_there {
        let message = format!("tokens of this issuer have no `{other}`");
        report.key_error(&path.key(other), message, format!("use `{needed}`"));
    }
    match speaks {
        IssuerSpeaks::Oidc => claims(report, file, &path.key("claims")),
        IssuerSpeaks::Spiffe => {
            let path = path.key("spiffe_id");
            let id = &report.take(&file.spiffe_id, &path)?.0;
            let Some(domain) = trust_domain_of(id) else {
                let hint = "write it like `spiffe://example.org/ns/agents/sa/support-v2`";
                report.error(&path, format!("`{id}` is no SPIFFE id of a workload"), hint);
                return None;
            };
            if let Some(IssuerKind::Spiffe { trust_domain }) = kind
                && domain != trust_domain
            {
                let message = format!("`{domain}` is not this issuer's trust domain");
                report.error(&path, message, format!("it is `{trust_domain}`"));
            }
            Some(Who::SpiffeId(id.clone()))
        }
    }
}

fn claims(report: &mut Report<'_>, file: &MappedFile, path: &Path) -> Option<Who> {
    let written = report.take(&file.claims, path)?;
    if written.is_empty() {
        report.error(
            path,
            "`claims` is empty: every token would be meant",
            "name one such as `sub`",
        );
    }
    if written.len() > CLAIMS_MAX {
        report.error(path, "`claims` has too many", format!("use at most {CLAIMS_MAX}"));
    }
    let mut claims = BTreeMap::new();
    for (claim, value) in written {
        let path = path.key(claim);
        if NOT_A_CLAIM.contains(&claim.as_str()) {
            let message = format!("`{claim}` does not say whose a token is");
            report.key_error(&path, message, "use a claim such as `sub`");
            continue;
        }
        let Some(value) = report.take(value, &path) else { continue };
        if claim.chars().count() > CLAIM_CHARS_MAX || value.0.chars().count() > CLAIM_CHARS_MAX {
            let hint = format!("use at most {CLAIM_CHARS_MAX} characters");
            report.error(&path, "the claim is too long", hint);
        }
        claims.insert(claim.clone(), value.0.clone());
    }
    (!claims.is_empty()).then_some(Who::Claims(claims))
}
