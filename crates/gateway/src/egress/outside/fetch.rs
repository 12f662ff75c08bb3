//! Reads the keys of issuers outside, beside calls: from time to time, and soon when a token names one that is not known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use lockgate_model::issuer::{IssuerKind, JwksAt};
use lockgate_model::version::Digest;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connect::Connector;
use crate::core::Core;
use crate::egress::outside::Issuer;
use crate::egress::outside::jwk::{self, Set};
use crate::protocol::json;

/// The largest set of keys, and the largest discovery document.
const BYTES_MAX: usize = 256 * 1024;
/// How long one of them may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Rest after a failure.
const RETRY: Duration = Duration::from_secs(30);
/// Time between two looks for keys that are not known.
const MISSED_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);
const DISCOVERY: &str = "/.well-known/openid-configuration";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static("lockgate");

type Client = legacy::Client<Connector, Full<Bytes>>;

/// When an issuer is asked.
#[derive(Default)]
struct Plan {
    next: Option<Instant>,
    /// When a key that was not known had it asked.
    missed_at: Option<Instant>,
    is_asked: bool,
    is_failing: bool,
}

type Plans = HashMap<Digest, Plan>;

impl Plan {
    fn is_due(&mut self, was_missed: bool, now: Instant) -> bool {
        if was_missed && self.missed_at.is_none_or(|at| now >= at + MISSED_EVERY) {
            self.missed_at = Some(now);
            return true;
        }
        self.next.is_none_or(|next| now >= next)
    }
}

/// What became of a look: whose keys, when it was asked, and what it said.
type Answer = (Arc<Issuer>, Instant, Result<Set, String>);

/// Until `stop`.
pub(crate) async fn run(core: Arc<Core>, connector: Connector, stop: CancellationToken) {
    let client =
        legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let (mut plans, mut asked) = (Plans::new(), JoinSet::new());
    let work = async {
        loop {
            ask(&core, &client, &mut plans, &mut asked);
            tokio::select! {
                // One that is slow is in nobody else's way.
                Some(answer) = asked.join_next() => match answer {
                    Ok(answer) => take(&core, &mut plans, answer),
                    // Whose it was is not known: all are asked when they are due.
                    Err(_) => plans.values_mut().for_each(|plan| plan.is_asked = false),
                },
                () = core.outside.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Asks those that are due, each at most once at a time.
fn ask(core: &Core, client: &Client, plans: &mut Plans, asked: &mut JoinSet<Answer>) {
    let issuers = core.table.load().known.outside().issuers().to_vec();
    let sources: HashSet<&Digest> = issuers.iter().map(|one| &one.source).collect();
    plans.retain(|source, _| sources.contains(source));
    core.outside.keep(&sources);
    let (missed, now) = (core.outside.missed(), Instant::now());
    for issuer in &issuers {
        let plan = plans.entry(issuer.source.clone()).or_default();
        // What is missed now may come with the answer; if not, it is missed again.
        if plan.is_asked || !plan.is_due(missed.contains(&issuer.source), now) {
            continue;
        }
        plan.is_asked = true;
        let (client, issuer) = (client.clone(), Arc::clone(issuer));
        asked.spawn(async move {
            let answer = read(&client, &issuer).await;
            (issuer, now, answer)
        });
    }
}

fn take(core: &Core, plans: &mut Plans, (issuer, at, answer): Answer) {
    // It may have gone meanwhile.
    let Some(plan) = plans.get_mut(&issuer.source) else { return };
    let (name, refresh) =
        (&issuer.settings.name, Duration::from_millis(issuer.settings.refresh_ms));
    let (wait, is_failing) = match answer {
        Ok(set) => {
            if plan.next.is_none() || plan.is_failing {
                info!(issuer = %name, keys = set.len(), "the keys of an issuer were read");
            }
            core.outside.put(&issuer.source, set, at);
            (refresh, false)
        }
        Err(why) => {
            if !plan.is_failing {
                warn!(issuer = %name, why, "the keys of an issuer cannot be read; those that are known are good for a while");
            }
            (refresh.min(RETRY), true)
        }
    };
    plan.is_asked = false;
    plan.is_failing = is_failing;
    plan.next = Some(Instant::now() + wait);
}

/// The keys that the issuer has now, or why they are not known.
async fn read(client: &Client, issuer: &Issuer) -> Result<Set, String> {
    let found = tokio::time::timeout(ANSWER_MAX, document(client, issuer)).await;
    let bytes = found.map_err(|_| "it took too long".to_owned())??;
    jwk::set(&bytes, issuer.is_svid()).map_err(str::to_owned)
}

async fn document(client: &Client, issuer: &Issuer) -> Result<Bytes, String> {
    match issuer.jwks() {
        JwksAt::File(path) => {
            let file = tokio::fs::File::open(path).await.map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            let max = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
            file.take(max + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
            if bytes.len() > BYTES_MAX {
                return Err("it is too large".into());
            }
            Ok(bytes.into())
        }
        JwksAt::Url(url) => get(client, url).await,
        JwksAt::Discovery => {
            let IssuerKind::Oidc { issuer } = &issuer.settings.kind else {
                return Err("its keys are nowhere".into());
            };
            let url = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
            let url = jwks_uri(&get(client, &url).await?, issuer)?;
            get(client, &url).await
        }
    }
}

/// Where a discovery document says that the keys are (`OpenID` Connect Discovery 1.0, 4.3).
fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, String> {
    let read = json::value(document, json::Keys::Exact);
    let read =
        read.map_err(|_| "its discovery document is not JSON with one meaning".to_owned())?;
    if read.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("its discovery document is another issuer's".into());
    }
    let uri = read.get("jwks_uri").and_then(Value::as_str);
    let uri = uri.ok_or_else(|| "its discovery document has no `jwks_uri`".to_owned())?;
    // Plain HTTP is for an issuer on this machine alone, and such a one is reached by it already.
    let scheme = |text: &str| text.split_once("://").map(|(scheme, _)| scheme.to_owned());
    let is_safe = match (scheme(uri).as_deref(), scheme(issuer).as_deref()) {
        (Some("https"), _) => true,
        (Some("http"), Some("http")) => authority(uri) == authority(issuer),
        _ => false,
    };
    if is_safe { Ok(uri.to_owned()) } else { Err("its `jwks_uri` is not https".into()) }
}

fn authority(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.authority().map(ToString::to_string)
}

async fn get(client: &Client, url: &str) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|_| "its URL cannot be used".to_owned())?;
    let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    let host = host.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let host = host.ok_or_else(|| "its URL cannot be used".to_owned())?;
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri;
    let fields = request.headers_mut();
    fields.insert(header::HOST, host);
    fields.insert(header::ACCEPT, JSON);
    fields.insert(header::USER_AGENT, AGENT);
    let answer = client.request(request).await;
    let answer = answer.map_err(|_| "it cannot be reached".to_owned())?;
    // A redirect would choose where we connect.
    if answer.status() != StatusCode::OK {
        return Err(format!("it answered {}", answer.status().as_u16()));
    }
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Err("its answer is compressed, which nobody asked for".into());
    }
    let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|_| "its answer breaks off, or is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_known_has_it_asked_once_a_minute() {
        let now = Instant::now();
        let mut plan = Plan { next: Some(now + Duration::from_mins(5)), ..Plan::default() };
        assert!(!plan.is_due(false, now));
        assert!(plan.is_due(true, now));
        for s in [0, 1, 59] {
            assert!(!plan.is_due(true, now + Duration::from_secs(s)), "{s}");
        }
        assert!(plan.is_due(true, now + Duration::from_mins(1)));
        assert!(!plan.is_due(true, now + Duration::from_secs(119)));
        assert!(plan.is_due(false, now + Duration::from_mins(5)));
        assert!(Plan::default().is_due(false, now), "what was never asked is");
    }

    #[test]
    fn discovery_leads_nowhere_but_to_the_issuers_own_keys() {
        let said = |issuer: &str, uri: &str| {
            let document = serde_json::json!({ "issuer": issuer, "jwks_uri": uri });
            jwks_uri(document.to_string().as_bytes(), "https://idp.example.com")
        };
        let keys = "https://keys.example.com/jwks";
        assert_eq!(said("https://idp.example.com", keys), Ok(keys.to_owned()));
        for (issuer, uri) in [
            ("https://idp.example.com/", keys),
            ("https://evil.example", keys),
            ("https://idp.example.com", "http://keys.example.com/jwks"),
            ("https://idp.example.com", "file:///etc/passwd"),
            ("https://idp.example.com", "jwks"),
        ] {
            assert!(said(issuer, uri).is_err(), "{issuer} {uri}");
        }
        let here = br#"{"issuer": "http://127.0.0.1:1", "jwks_uri": "http://127.0.0.1:1/keys"}"#;
        assert!(jwks_uri(here, "http://127.0.0.1:1").is_ok());
        let elsewhere =
            br#"{"issuer": "http://127.0.0.1:1", "jwks_uri": "http://169.254.169.254/keys"}"#;
        assert!(jwks_uri(elsewhere, "http://127.0.0.1:1").is_err());
        let twice = br#"{"issuer": "http://127.0.0.1:1", "issuer": "x", "jwks_uri": "http://127.0.0.1:1/k"}"#;
        assert!(jwks_uri(twice, "x").is_err());
    }
}
