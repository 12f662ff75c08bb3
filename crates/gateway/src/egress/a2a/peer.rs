//! What another agent is sent beside the request itself, and how those who call it are told to reach it here.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lockgate_model::ids::ToolName;

use super::failure::MEDIA_TYPE;
use crate::egress::delegation::DELEGATION;
use crate::egress::delegation::callers::CALLER;
use crate::egress::listener::Egress;
use crate::ingress::headers;
use crate::protocol::a2a::{EXTENSIONS, VERSION, Version};

/// What 0.3 calls the header that names extensions.
const EXTENSIONS_BEFORE: &str = "x-a2a-extensions";
/// With it a caller says what the other agent may do for it.
pub(super) const HANDOVER: &str = "lockgate-handover";
/// Names of headers that are sent; nothing of the agent's own is in them but what [`headers`] names.
pub(super) const PASSING: [&str; 7] =
    [VERSION, EXTENSIONS, EXTENSIONS_BEFORE, "accept", "content-type", CALLER, DELEGATION];
/// Extensions that a request names, and bytes of one.
const EXTENSIONS_MAX: usize = 64;
const EXTENSION_BYTES_MAX: usize = 2_048;

/// Where a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CameIn {
    /// At this address.
    At(SocketAddr),
    /// In a tunnel to the other agent's own.
    Inside,
}

/// How a request is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) version: Version,
    pub(super) rest: bool,
    pub(super) streams: bool,
}

/// All headers of a request to another agent, but for who calls and for whom, and what every server gets: the trace, and
/// its credential. Nothing of the agent's is in it that is not named.
pub(super) fn headers(manner: Manner, agents: &HeaderMap) -> HeaderMap {
    let mut made = HeaderMap::new();
    let trace = [headers::TRACEPARENT, headers::TRACESTATE];
    let extensions = [EXTENSIONS, EXTENSIONS_BEFORE].map(HeaderName::from_static);
    for name in trace.into_iter().chain(extensions) {
        for value in agents.get_all(&name) {
            made.append(name.clone(), value.clone());
        }
    }
    made.insert(VERSION, HeaderValue::from_static(manner.version.as_str()));
    if manner.rest {
        let accepted = if manner.streams {
            "text/event-stream"
        } else {
            "application/a2a+json, application/json"
        };
        made.insert(header::ACCEPT, HeaderValue::from_static(accepted));
        made.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
    made
}

/// Extensions that headers name; `None` when they cannot be read.
pub(super) fn extensions(agents: &HeaderMap) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for value in [EXTENSIONS, EXTENSIONS_BEFORE].into_iter().flat_map(|name| agents.get_all(name)) {
        for extension in value.to_str().ok()?.split(',') {
            let extension = extension.trim().to_owned();
            if !extension.is_empty() && !all.contains(&extension) {
                all.push(extension);
            }
        }
    }
    let fits = |one: &String| one.len() <= EXTENSION_BYTES_MAX;
    (all.len() <= EXTENSIONS_MAX && all.iter().all(fits)).then_some(all)
}

/// Our URL of an agent: by the configuration, or else where the caller came in. Nothing that a request says is in it, so
/// nobody can have others told where to go.
pub(super) fn url(egress: &Egress, came_in: Option<CameIn>, name: &ToolName) -> Option<String> {
    if let Some(CameIn::Inside) = came_in {
        // There it is reached as if we were not.
        let table = egress.core.table.load();
        let endpoint = table.known.server(name)?.endpoint.as_ref()?;
        return Some(format!("https://{}{}", endpoint.connect.authority()?, endpoint.prefix));
    }
    let configured = egress.core.table.load().snapshot.egress.url.clone();
    let here = || {
        let Some(CameIn::At(address)) = came_in else { return None };
        Some(format!("http://{}", SocketAddr::new(address.ip().to_canonical(), address.port())))
    };
    Some(format!("{}/a2a/{name}", configured.or_else(here)?.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_goes_along() {
        let mut agents = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer own"),
            ("cookie", "a=b"),
            ("a2a-version", "9.9"),
            ("a2a-extensions", "https://x, https://y"),
            ("x-a2a-extensions", "https://y,https://z"),
            ("lockgate-interaction", "i"),
            ("traceparent", "00-1"),
            ("accept", "text/html"),
            ("content-type", "text/html"),
        ] {
            agents.insert(name, value.parse().unwrap());
        }
        assert_eq!(extensions(&agents).unwrap(), ["https://x", "https://y", "https://z"]);
        let rest = headers(Manner { version: Version::V1_0, rest: true, streams: true }, &agents);
        let mut names: Vec<&str> = rest.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "a2a-extensions",
                "a2a-version",
                "accept",
                "content-type",
                "traceparent",
                "x-a2a-extensions"
            ]
        );
        assert_eq!(
            (&rest["a2a-version"], &rest["accept"], &rest["content-type"]),
            (
                &"1.0".parse().unwrap(),
                &"text/event-stream".parse().unwrap(),
                &MEDIA_TYPE.parse().unwrap()
            )
        );
        let rpc = headers(Manner { version: Version::V0_3, rest: false, streams: true }, &agents);
        assert!(!rpc.contains_key("accept") && rpc["a2a-version"] == "0.3");
    }

    #[test]
    fn many_or_long_extensions_are_refused() {
        let of = |value: &str| {
            let mut agents = HeaderMap::new();
            agents.insert(EXTENSIONS, value.parse().unwrap());
            extensions(&agents)
        };
        let many: Vec<String> = (0..65).map(|n| format!("https://x/{n}")).collect();
        assert_eq!(of(&many.join(",")), None);
        assert_eq!(of(&many[..64].join(",")).unwrap().len(), 64);
        assert_eq!(of(&"x".repeat(2_049)), None);
        assert_eq!(of("é"), None);
        assert_eq!(of(" , ").unwrap().len(), 0);
    }
}
