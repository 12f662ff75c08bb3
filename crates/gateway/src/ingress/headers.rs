//! Which headers pass, which are ours, and what we read from an agent's answer.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use lockgate_model::ids::InteractionId;
use lockgate_model::interaction::Outcome;
use lockgate_model::measure::{Measure, MeasureName};

/// The interaction's id.
pub(crate) const INTERACTION: HeaderName = HeaderName::from_static("lockgate-interaction");
/// The signed pin.
pub(crate) const CONVERSATION: HeaderName = HeaderName::from_static("lockgate-conversation");
/// The ticket for feedback.
pub(crate) const TICKET: HeaderName = HeaderName::from_static("lockgate-ticket");
/// The version that answers.
pub(crate) const VERSION: HeaderName = HeaderName::from_static("lockgate-version");
/// Where a request comes from, when not from users.
pub(crate) const ENVIRONMENT: HeaderName = HeaderName::from_static("lockgate-environment");
/// The test environment.
pub(crate) const TEST: HeaderValue = HeaderValue::from_static("test");
const OUTCOME: HeaderName = HeaderName::from_static("lockgate-outcome");
const COST_USD: HeaderName = HeaderName::from_static("lockgate-cost-usd");
const MEASURE: HeaderName = HeaderName::from_static("lockgate-measure");
/// The trace and its parent (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracers have to say about it.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The largest cost of one answer that is believed, US dollars.
const COST_USD_MAX: f64 = 1_000_000.0;

const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes what concerns one connection only (RFC 9110, section 7.6.1).
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            // The body's length is no option of a connection; dropping it would change framing.
            .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// What egress tells an agent that is called by another: sealed, and for that agent alone, so it may come this way.
const FOR_AGENTS: [&str; 2] = ["lockgate-caller", "lockgate-delegation"];

/// Removes every `lockgate-*` header but for those, also spelt `lockgate_*`, which many servers take for the
/// same; and our cookies, which browsers send to every port of a host.
pub(crate) fn remove_ours(headers: &mut HeaderMap) {
    remove_our_cookies(headers);
    let ours = |name: &HeaderName| is_ours(name.as_str());
    if headers.keys().any(ours) {
        let names: Vec<HeaderName> = headers.keys().filter(|name| ours(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

fn is_ours(name: &str) -> bool {
    let ours = name.strip_prefix("lockgate").is_some_and(|rest| rest.starts_with(['-', '_']));
    ours && !FOR_AGENTS.contains(&name)
}

/// The console's session is for the console: no version sees it, and none sets it.
fn remove_our_cookies(headers: &mut HeaderMap) {
    let names_ours = |value: &HeaderValue| {
        value.as_bytes().windows(9).any(|part| part == b"lockgate_" || part == b"lockgate-")
    };
    for header in [header::COOKIE, header::SET_COOKIE] {
        if !headers.get_all(&header).iter().any(names_ours) {
            continue;
        }
        let kept: Vec<HeaderValue> = headers
            .get_all(&header)
            .iter()
            .filter_map(|value| without_ours(&header, value))
            .collect();
        headers.remove(&header);
        for value in kept {
            headers.append(header.clone(), value);
        }
    }
}

fn without_ours(header: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    let pair_is_ours = |pair: &&[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        is_ours(&String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
    };
    let pairs = value.as_bytes().split(|byte| *byte == b';');
    if *header == header::SET_COOKIE {
        // Only the first pair names the cookie; the rest are its attributes.
        return (!pairs.take(1).any(|pair| pair_is_ours(&pair))).then(|| value.clone());
    }
    let kept: Vec<&[u8]> = pairs.filter(|pair| !pair_is_ours(pair)).collect();
    let joined = kept.join(&b';');
    let text = joined.trim_ascii();
    if text.is_empty() { None } else { HeaderValue::from_bytes(text).ok() }
}

/// An id as a header's value.
pub(crate) fn id_value(interaction: InteractionId) -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = interaction.0.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("hex digits and hyphens")
}

/// Continues the caller's trace with a span of our own, or starts one (W3C Trace Context).
pub(crate) fn stamp_trace(headers: &mut HeaderMap) {
    let span: u64 = rand::random::<u64>() | 1;
    let incoming = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let text = if let Some((trace, flags)) = incoming.and_then(trace_of) {
        format!("00-{trace}-{span:016x}-{flags}")
    } else {
        // A state without its parent means nothing.
        headers.remove(TRACESTATE);
        format!("00-{:032x}-{span:016x}-01", rand::random::<u128>() | 1)
    };
    let value = HeaderValue::from_str(&text).expect("hex digits and hyphens");
    headers.insert(TRACEPARENT, value);
}

/// Trace id and flags of a valid `traceparent`.
pub(crate) fn trace_of(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |text: &str| text.bytes().any(|b| b != b'0');
    let known = version == "00" && parts.next().is_none()
        || hex(version, 2) && version > "00" && version != "ff";
    (known && hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2))
        .then_some((trace, flags))
}

/// Says who asked. What the client claims is kept only when whoever is in front of us is trusted.
pub(crate) fn stamp_forwarded(
    headers: &mut HeaderMap,
    peer: IpAddr,
    peer_value: &HeaderValue,
    host: Option<HeaderValue>,
    trusted: bool,
) {
    if !trusted {
        headers.remove(header::FORWARDED);
        headers.insert(FORWARDED_FOR, peer_value.clone());
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        match host {
            Some(host) => headers.insert(FORWARDED_HOST, host),
            None => headers.remove(FORWARDED_HOST),
        };
        return;
    }
    let before = headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
    let value = before
        .and_then(|before| HeaderValue::from_str(&format!("{before}, {peer}")).ok())
        .unwrap_or_else(|| peer_value.clone());
    headers.insert(FORWARDED_FOR, value);
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// What the version says came of the interaction.
pub(crate) fn outcome(headers: &HeaderMap) -> Option<Outcome> {
    match headers.get(OUTCOME)?.to_str().ok()?.trim() {
        "resolved" => Some(Outcome::Resolved),
        "escalated" => Some(Outcome::Escalated),
        "failed" => Some(Outcome::Failed),
        _ => None,
    }
}

/// What the version says it cost, in nano-dollars; senseless numbers are unknown.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1e15, checked"
)]
pub(crate) fn cost_nanousd(headers: &HeaderMap) -> Option<u64> {
    let usd: f64 = headers.get(COST_USD)?.to_str().ok()?.trim().parse().ok()?;
    (0.0..=COST_USD_MAX).contains(&usd).then(|| (usd * 1e9).round() as u64)
}

/// What the version reports of its answer, `name=number, …`, each declared measure once: the first
/// time counts. What is declared and no number is told apart from what is not there.
pub(crate) fn measures(
    headers: &HeaderMap,
    declared: &[Measure],
) -> Vec<(MeasureName, Option<u8>)> {
    let mut found: Vec<(MeasureName, Option<u8>)> = Vec::new();
    if declared.is_empty() {
        return found;
    }
    let fields = headers.get_all(MEASURE).iter().filter_map(|value| value.to_str().ok());
    for (name, value) in
        fields.flat_map(|text| text.split(',')).filter_map(|one| one.split_once('='))
    {
        let Some(measure) = declared.iter().find(|one| one.name.as_str() == name.trim()) else {
            continue;
        };
        if found.iter().all(|(seen, _)| *seen != measure.name) {
            let level = value.trim().parse().ok();
            let level = level.and_then(|value: f64| measure.level(value, rand::random()));
            found.push((measure.name, level));
        }
    }
    found
}

/// Whether the answer is a stream of server-sent events.
pub(crate) fn is_sse(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..17))
        .is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn our_headers_and_cookies_go_however_they_are_spelt() {
        let mut headers = map(&[
            ("lockgate-version", "v9"),
            ("lockgate_version", "v9"),
            ("lockgatekeeper", "stays"),
            ("cookie", "a=1; lockgate_session=secret; b=2"),
            ("cookie", "lockgate_session=secret"),
            ("set-cookie", "lockgate_session=stolen; Path=/"),
            ("set-cookie", "mine=1; Path=/lockgate_x"),
        ]);
        remove_ours(&mut headers);
        assert_eq!(
            headers,
            map(&[
                ("lockgatekeeper", "stays"),
                ("cookie", "a=1; b=2"),
                ("set-cookie", "mine=1; Path=/lockgate_x"),
            ])
        );
    }

    #[test]
    fn hop_by_hop_headers_and_those_named_by_connection_go() {
        let mut headers = map(&[
            ("connection", "keep-alive, x-private, content-length"),
            ("connection", "close"),
            ("x-private", "1"),
            ("x-public", "2"),
            ("content-length", "3"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("keep-alive", "timeout=5"),
        ]);
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-public"]);
    }

    #[test]
    fn all_of_ours_go_and_nothing_else() {
        let mut headers = map(&[
            ("lockgate-version", "v9"),
            ("lockgate-x", "1"),
            ("lockgates", "2"),
            ("lockgate-caller", "3"),
        ]);
        remove_ours(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["lockgate-caller", "lockgates"]);
    }

    #[test]
    fn a_valid_trace_goes_on_with_a_new_span() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let text = format!("00-{trace}-b7ad6b7169203331-00");
        let mut headers = map(&[("traceparent", &text), ("tracestate", "a=b")]);
        stamp_trace(&mut headers);
        let stamped = headers["traceparent"].to_str().unwrap().to_owned();
        assert!(
            stamped.starts_with(&format!("00-{trace}-")) && stamped.ends_with("-00"),
            "{stamped}"
        );
        assert_ne!(stamped, text);
        assert_eq!(headers["tracestate"], "a=b");
    }

    #[test]
    fn an_invalid_trace_is_replaced() {
        for bad in [
            "",
            "00-xyz",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            let mut headers = map(&[("traceparent", bad), ("tracestate", "a=b")]);
            stamp_trace(&mut headers);
            let stamped = headers["traceparent"].to_str().unwrap();
            assert!(trace_of(stamped).is_some(), "{stamped}");
            assert!(!stamped.contains("0af7651916cd43dd8448eb211c80319c"));
            assert!(!headers.contains_key("tracestate"));
        }
    }

    #[test]
    fn senseless_costs_are_unknown() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.0012", Some(1_200_000)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("", None),
            ("$1", None),
        ] {
            assert_eq!(cost_nanousd(&map(&[("lockgate-cost-usd", text)])), expected, "{text}");
        }
    }

    #[test]
    fn measures_are_read_once_each_and_only_those_declared() {
        let declare = |name: &str, to| Measure {
            name: name.parse().unwrap(),
            better: lockgate_model::measure::Better::Higher,
            from: 0.0,
            to,
        };
        let declared = [declare("grounded", 1.0), declare("steps", 50.0)];
        let read = |fields: &[(&str, &str)]| -> Vec<(String, Option<u8>)> {
            let found = measures(&map(fields), &declared);
            found.into_iter().map(|(name, level)| (name.to_string(), level)).collect()
        };
        let (grounded, steps) = ("grounded".to_owned(), "steps".to_owned());
        let field = "lockgate-measure";
        assert_eq!(
            read(&[(field, "grounded=0.9, other=1"), (field, " steps = 10 ,grounded=0.1")]),
            [(grounded.clone(), Some(90)), (steps.clone(), Some(20))]
        );
        assert_eq!(read(&[(field, "steps=NaN")]), [(steps.clone(), None)]);
        assert_eq!(read(&[(field, "steps=many,grounded=")]), [(steps, None), (grounded, None)]);
        assert_eq!(read(&[(field, "grounded, =1, ,,"), ("lockgate-measures", "grounded=1")]), []);
    }

    #[test]
    fn forwarded_claims_of_strangers_are_replaced() {
        let peer: IpAddr = "10.0.0.9".parse().unwrap();
        let value = HeaderValue::from_static("10.0.0.9");
        let claims = [
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-host", "evil"),
        ];
        let mut headers = map(&claims);
        stamp_forwarded(&mut headers, peer, &value, None, false);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.9");
        assert!(!headers.contains_key("forwarded") && !headers.contains_key("x-forwarded-host"));
        let mut headers = map(&claims);
        stamp_forwarded(&mut headers, peer, &value, None, true);
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 10.0.0.9");
    }
}
