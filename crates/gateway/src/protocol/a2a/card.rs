//! The card by which an agent says what it is and how it is reached, made one that leads here. What is not spoken here is
//! left out, and so are signatures: they are of a card that says something else.

use http::Uri;
use serde_json::{Map, Value, json};

use super::Version;
use super::action::Action;

const JSONRPC: &str = "JSONRPC";
const REST: &str = "HTTP+JSON";
/// What its users show: a token of ours.
const SCHEME: &str = "lockgate";
/// What a card has, in both versions. Others read the same in another spelling, which would lead around us.
const CARD: [&str; 19] = [
    "additionalInterfaces",
    "capabilities",
    "defaultInputModes",
    "defaultOutputModes",
    "description",
    "documentationUrl",
    "iconUrl",
    "name",
    "preferredTransport",
    "protocolVersion",
    "provider",
    "security",
    "securityRequirements",
    "securitySchemes",
    "skills",
    "supportedInterfaces",
    "supportsAuthenticatedExtendedCard",
    "url",
    "version",
];
const CAPABILITY: [&str; 5] =
    ["extendedAgentCard", "extensions", "pushNotifications", "stateTransitionHistory", "streaming"];
const SKILL: [&str; 7] =
    ["description", "examples", "id", "inputModes", "name", "outputModes", "tags"];
/// The agent's capabilities, and what has to be allowed for them.
const CAPABILITIES: [(&str, Action); 3] = [
    ("streaming", Action::SendStreamingMessage),
    ("pushNotifications", Action::CreatePushConfig),
    ("extendedAgentCard", Action::GetExtendedCard),
];

/// Where an agent is, and where its users reach it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The path of its own URL.
    pub(crate) path: &'a str,
    /// Our URL of it.
    pub(crate) url: &'a str,
}

/// It is no card, or names nothing that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its card names no interface that is spoken here")]
pub(crate) struct Unreachable;

/// Makes it lead to us. `permits` says what could be allowed.
pub(crate) fn rewrite(
    card: &mut Value,
    places: Places<'_>,
    permits: impl Fn(Action) -> bool,
) -> Result<(), Unreachable> {
    let card = card.as_object_mut().ok_or(Unreachable)?;
    keep(card, &CARD);
    let now = interfaces(card, places);
    let before = interfaces_before(card, places);
    if !now && !before {
        return Err(Unreachable);
    }
    secure(card, now, before);
    if let Some(capabilities) = card.get_mut("capabilities").and_then(Value::as_object_mut) {
        keep(capabilities, &CAPABILITY);
        for (name, action) in CAPABILITIES {
            narrow(capabilities, name, permits(action));
        }
    }
    narrow(card, "supportsAuthenticatedExtendedCard", permits(Action::GetExtendedCard));
    Ok(())
}

fn keep(fields: &mut Map<String, Value>, known: &[&str]) {
    fields.retain(|name, _| known.contains(&name.as_str()));
}

/// What cannot be allowed is not offered.
fn narrow(fields: &mut Map<String, Value>, name: &str, permitted: bool) {
    if let Some(offered) = fields.get_mut(name)
        && !permitted
    {
        *offered = false.into();
    }
}

/// Those of 1.0; whether there are any.
fn interfaces(card: &mut Map<String, Value>, places: Places<'_>) -> bool {
    let Some(all) = card.remove("supportedInterfaces") else { return false };
    let all: Vec<Value> = all.as_array().cloned().unwrap_or_default();
    let spoken: Vec<&Value> = all.iter().filter(|one| is_spoken(one)).collect();
    let url_of = |one: &Value| one.get("url").and_then(Value::as_str).map(str::to_owned);
    // One agent can have an interface for each binding at a path of its own: the tool is one of them.
    let here = |one: &&&Value| url_of(one).is_some_and(|url| is_at(&url, places.path));
    let at_path: Vec<&Value> = spoken.iter().filter(here).copied().collect();
    let mut kept: Vec<Value> = Vec::new();
    for one in if at_path.is_empty() { spoken } else { at_path } {
        let mut interface = json!({ "url": places.url });
        for name in ["protocolBinding", "protocolVersion", "tenant"] {
            if let Some(value) = one.get(name) {
                interface[name] = value.clone();
            }
        }
        if !kept.contains(&interface) {
            kept.push(interface);
        }
    }
    let any = !kept.is_empty();
    if any {
        card.insert("supportedInterfaces".into(), kept.into());
    }
    any
}

fn is_spoken(interface: &Value) -> bool {
    let version = match interface.get("protocolVersion") {
        None => Some(Version::V1_0),
        Some(said) => said.as_str().and_then(Version::read),
    };
    match interface.get("protocolBinding").and_then(Value::as_str) {
        Some(JSONRPC) => version.is_some(),
        Some(REST) => version == Some(Version::V1_0),
        _ => false,
    }
}

fn is_at(url: &str, path: &str) -> bool {
    let same = |at: Uri| at.path().trim_end_matches('/') == path.trim_end_matches('/');
    url.parse::<Uri>().is_ok_and(same)
}

/// Those of 0.3; whether there are any.
fn interfaces_before(card: &mut Map<String, Value>, places: Places<'_>) -> bool {
    let main = card.remove("url").is_some();
    let preferred = card.remove("preferredTransport");
    let more = card.remove("additionalInterfaces");
    let version = card.remove("protocolVersion");
    let is_version =
        version.as_ref().and_then(Value::as_str).and_then(Version::read) == Some(Version::V0_3);
    let is_rpc = |transport: &Value| transport.as_str() == Some(JSONRPC);
    let more = more.as_ref().and_then(Value::as_array).into_iter().flatten();
    let has_rpc = main && preferred.as_ref().is_none_or(is_rpc)
        || more.filter_map(|one| one.get("transport")).any(is_rpc);
    if !is_version || !has_rpc {
        return false;
    }
    card.insert("url".into(), places.url.into());
    card.insert("preferredTransport".into(), JSONRPC.into());
    card.insert("protocolVersion".into(), version.unwrap_or_default());
    true
}

/// Whoever calls shows a token of ours, and the other agent's credential is ours to show.
fn secure(card: &mut Map<String, Value>, now: bool, before: bool) {
    card.remove("security");
    card.remove("securityRequirements");
    let mut scheme = json!({});
    if now {
        scheme["httpAuthSecurityScheme"] = json!({ "scheme": "Bearer" });
        let needed = json!([{ "schemes": { SCHEME: { "list": [] } } }]);
        card.insert("securityRequirements".into(), needed);
    }
    if before {
        scheme["type"] = "http".into();
        scheme["scheme"] = "bearer".into();
        card.insert("security".into(), json!([{ SCHEME: [] }]));
    }
    card.insert("securitySchemes".into(), json!({ SCHEME: scheme }));
    let skills = card.get_mut("skills").and_then(Value::as_array_mut);
    for skill in skills.into_iter().flatten().filter_map(Value::as_object_mut) {
        keep(skill, &SKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places<'static> = Places { path: "/rpc/", url: "http://here/a2a/desk" };

    fn rewritten(mut card: Value, hidden: &[Action]) -> Result<Value, Unreachable> {
        rewrite(&mut card, PLACES, |action| !hidden.contains(&action)).map(|()| card)
    }

    fn interface(url: &str, binding: &str, version: &str) -> Value {
        json!({ "url": url, "protocolBinding": binding, "protocolVersion": version })
    }

    #[test]
    fn a_card_leads_here_and_says_nothing_that_is_not_spoken() {
        let card = json!({
            "name": "desk", "version": "7", "signatures": [{ "signature": "x" }],
            "supportedInterfaces": [
                interface("http://peer/other", "JSONRPC", "1.0"),
                { "url": "http://peer/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "eu" },
                interface("http://0.0.0.0:9/rpc/", "HTTP+JSON", "1.0"),
                interface("http://peer/rpc", "HTTP+JSON", "0.3"),
                interface("peer:50051", "GRPC", "1.0"),
                interface("http://peer/rpc", "JSONRPC", "2.0"),
                interface("http://peer/rpc", "JSONRPC", "0.3"),
            ],
            "capabilities": { "streaming": true, "pushNotifications": true, "extendedAgentCard": true },
            "securitySchemes": { "own": { "oauth2SecurityScheme": { "oauth2MetadataUrl": "http://inside" } } },
            "securityRequirements": [{ "schemes": { "own": {} } }],
            "skills": [{ "id": "a", "securityRequirements": [] }],
        });
        let card = rewritten(card, &[Action::CreatePushConfig]).unwrap();
        let url = PLACES.url;
        assert_eq!(
            card,
            json!({
                "name": "desk", "version": "7", "skills": [{ "id": "a" }],
                "supportedInterfaces": [
                    { "url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "eu" },
                    interface(url, "HTTP+JSON", "1.0"),
                    interface(url, "JSONRPC", "0.3"),
                ],
                "capabilities": { "streaming": true, "pushNotifications": false, "extendedAgentCard": true },
                "securitySchemes": { "lockgate": { "httpAuthSecurityScheme": { "scheme": "Bearer" } } },
                "securityRequirements": [{ "schemes": { "lockgate": { "list": [] } } }],
            })
        );
    }

    #[test]
    fn a_card_of_the_version_before_leads_here_too() {
        let card = json!({
            "name": "desk", "url": "grpc://peer", "preferredTransport": "GRPC", "protocolVersion": "0.3.0",
            "additionalInterfaces": [
                { "url": "http://peer", "transport": "HTTP+JSON" }, { "url": "http://peer", "transport": "JSONRPC" },
            ],
            "security": [{ "own": [] }], "supportsAuthenticatedExtendedCard": true,
        });
        let card = rewritten(card, &[Action::GetExtendedCard]).unwrap();
        assert_eq!(
            card,
            json!({
                "name": "desk", "url": PLACES.url, "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",
                "security": [{ "lockgate": [] }], "supportsAuthenticatedExtendedCard": false,
                "securitySchemes": { "lockgate": { "type": "http", "scheme": "bearer" } },
            })
        );
    }

    #[test]
    fn no_other_spelling_leads_around_us() {
        let card = json!({
            "name": "desk", "url": "http://peer", "protocolVersion": "0.3.0", "x-note": "http://evil",
            "supported_interfaces": [interface("http://evil", "JSONRPC", "1.0")],
            "additional_interfaces": [{ "url": "http://evil", "transport": "JSONRPC" }],
            "security_schemes": { "own": {} }, "URL": "http://evil",
            "capabilities": { "streaming": true, "extended_agent_card": true },
            "skills": [{ "id": "a", "security_requirements": [{ "own": [] }] }],
        });
        let card = rewritten(card, &[]).unwrap();
        let names: Vec<&String> = card.as_object().unwrap().keys().collect();
        assert!(!card.to_string().contains("evil") && !card.to_string().contains('_'), "{card}");
        assert!(names.iter().all(|name| CARD.contains(&name.as_str())), "{names:?}");
    }

    #[test]
    fn interfaces_elsewhere_are_taken_when_none_is_at_the_path() {
        let card = json!({ "supportedInterfaces": [
            interface("http://peer/", "JSONRPC", "1.0"), interface("http://other/", "JSONRPC", "1.0"),
        ] });
        let interfaces = &rewritten(card, &[]).unwrap()["supportedInterfaces"];
        assert_eq!(*interfaces, json!([interface(PLACES.url, "JSONRPC", "1.0")]));
    }

    #[test]
    fn a_card_that_leads_nowhere_is_none() {
        for card in [
            json!([]),
            json!({}),
            json!({ "supportedInterfaces": [] }),
            json!({ "supportedInterfaces": [interface("peer:1", "GRPC", "1.0")] }),
            json!({ "supportedInterfaces": 7, "url": "http://peer" }),
            json!({ "url": "http://peer", "protocolVersion": "0.2.6" }),
            json!({ "url": "http://peer", "protocolVersion": "0.3.0", "preferredTransport": "GRPC" }),
        ] {
            assert_eq!(rewritten(card.clone(), &[]), Err(Unreachable), "{card}");
        }
    }
}
