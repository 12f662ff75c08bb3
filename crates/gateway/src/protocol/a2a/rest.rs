//! A request in the REST binding of 1.0: its method, path and query, and how they are sent on, in one spelling.

use http::Method;
use serde_json::{Map, Value};

use super::action::Action;
use super::{Asked, Unclear, Version, arguments};
use crate::protocol::json::{Keys, value};
use crate::protocol::operation::{decode, encode, segments};

/// The version as a query may say it.
const VERSION: &str = "A2A-Version";
const TASKS: &str = "tasks";
const CONFIGS: &str = "pushNotificationConfigs";
/// Bytes of a query, and names in it.
const QUERY_BYTES_MAX: usize = 8 * 1024;
const QUERY_MAX: usize = 16;

/// What a path means, with what it names.
#[derive(Debug, Clone, PartialEq)]
struct Meant {
    action: Action,
    named: Vec<(&'static str, String)>,
}

/// A request whose body was not looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) action: Action,
    /// Path and query as they are sent on, after the agent's own URL.
    pub(crate) target: String,
    /// What the query says of the version.
    pub(crate) version: Option<String>,
    /// What path and query say.
    params: Map<String, Value>,
    has_body: bool,
}

impl Place {
    /// Reads what follows the tool's name, and what follows the question mark.
    pub(crate) fn read(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Unclear> {
        let odd = || Unclear::Request("the path can be read in more ways than one");
        let parts = segments(path).map_err(|_| odd())?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let own = meant(method, &parts);
        let of_tenant = parts.split_first().and_then(|(tenant, rest)| {
            let mut meant = meant(method, rest)?;
            meant.named.push(("tenant", (*tenant).to_owned()));
            Some(meant)
        });
        let Meant { action, named } = match (own, of_tenant) {
            (Some(meant), None) | (None, Some(meant)) => meant,
            (None, None) => return Err(Unclear::Unknown),
            (Some(_), Some(_)) => return Err(odd()),
        };
        if named.iter().any(|(_, name)| name.contains(':')) {
            return Err(odd());
        }
        let mut target = String::new();
        for part in parts {
            target.push('/');
            encode(part, b"!$&'()*+,=:@", &mut target);
        }
        let params = named.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        let has_body = *method == Method::POST;
        let mut place = Self { action, target, version: None, params, has_body };
        place.query(query.unwrap_or_default())?;
        Ok(place)
    }

    fn query(&mut self, query: &str) -> Result<(), Unclear> {
        if query.len() > QUERY_BYTES_MAX || query.split('&').count() > QUERY_MAX {
            return Err(Unclear::Request("the query is longer than allowed"));
        }
        let odd = Unclear::Request("the query can be read in more ways than one");
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| {
                let text = decode(&text.replace('+', " "))?;
                (!text.contains(char::is_control)).then_some(text)
            };
            let (Some(name), Some(text)) = (plain(name), plain(text)) else { return Err(odd) };
            if name.eq_ignore_ascii_case(VERSION) {
                if name != VERSION || self.version.replace(text).is_some() {
                    return Err(odd);
                }
                continue;
            }
            if !queried(self.action).contains(&name.as_str()) {
                return Err(Unclear::Request("the query has a name that is not known here"));
            }
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            encode(&name, b"", &mut self.target);
            self.target.push('=');
            encode(&text, b"", &mut self.target);
            let value = match text.as_str() {
                "true" if name == "includeArtifacts" => true.into(),
                "false" if name == "includeArtifacts" => false.into(),
                _ => text.into(),
            };
            if self.params.insert(name, value).is_some() {
                return Err(odd);
            }
        }
        Ok(())
    }

    /// What is asked for, with the body.
    pub(crate) fn with_body(self, body: &[u8], extensions: &[String]) -> Result<Asked, Unclear> {
        let mut params = self.params;
        if !body.is_empty() {
            if !self.has_body {
                return Err(Unclear::Request("requests of this method have no body"));
            }
            let read = value(body, Keys::Folded).map_err(|why| Unclear::Json(why.to_string()))?;
            let Value::Object(fields) = read else {
                return Err(Unclear::Request("a body is a JSON object"));
            };
            for (name, value) in fields {
                // Some write once more what the path says.
                let said = params.get(&name).is_none_or(|before| *before == value);
                if !said {
                    return Err(Unclear::Request("path and body do not say the same"));
                }
                params.insert(name, value);
            }
        }
        arguments::read(self.action, Version::V1_0, &params, body.len(), extensions)
    }
}

/// What a path without a tenant means.
fn meant(method: &Method, parts: &[&str]) -> Option<Meant> {
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    let meant = |action, named: &[(&'static str, &str)]| {
        let named = named.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Some(Meant { action, named })
    };
    match parts {
        ["message:send"] if post => meant(Action::SendMessage, &[]),
        ["message:stream"] if post => meant(Action::SendStreamingMessage, &[]),
        ["extendedAgentCard"] if get => meant(Action::GetExtendedCard, &[]),
        [TASKS] if get => meant(Action::ListTasks, &[]),
        [TASKS, task] => match task.rsplit_once(':') {
            Some((task, "cancel")) if post => meant(Action::CancelTask, &[("id", task)]),
            // Some clients send it as 0.3 had it.
            Some((task, "subscribe")) if get || post => {
                meant(Action::SubscribeToTask, &[("id", task)])
            }
            _ if get => meant(Action::GetTask, &[("id", task)]),
            _ => None,
        },
        [TASKS, task, CONFIGS] if get => meant(Action::ListPushConfigs, &[("taskId", task)]),
        [TASKS, task, CONFIGS] if post => meant(Action::CreatePushConfig, &[("taskId", task)]),
        [TASKS, task, CONFIGS, id] if get => {
            meant(Action::GetPushConfig, &[("taskId", task), ("id", id)])
        }
        [TASKS, task, CONFIGS, id] if *method == Method::DELETE => {
            meant(Action::DeletePushConfig, &[("taskId", task), ("id", id)])
        }
        _ => None,
    }
}

/// Names that a query may have.
fn queried(action: Action) -> &'static [&'static str] {
    match action {
        Action::GetTask => &["historyLength"],
        Action::ListTasks => &[
            "contextId",
            "status",
            "pageSize",
            "pageToken",
            "historyLength",
            "statusTimestampAfter",
            "includeArtifacts",
        ],
        Action::ListPushConfigs => &["pageSize", "pageToken"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Action, target and arguments.
    fn read(asked: &str, body: &str) -> Result<(&'static str, String, Value), Unclear> {
        let (method, target) = asked.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let place = Place::read(&method.parse().unwrap(), path, query)?;
        let target = place.target.clone();
        let asked = place.with_body(body.as_bytes(), &[])?;
        Ok((asked.action.as_str(), target, asked.arguments))
    }

    #[test]
    fn a_path_is_an_action() {
        for (asked, body, action, arguments) in [
            ("GET /tasks/t", "", "GetTask", json!({ "task": "t" })),
            ("GET /tasks/t?historyLength=2", "", "GetTask", json!({ "task": "t", "history": 2 })),
            ("GET /eu/tasks/t", "", "GetTask", json!({ "tenant": "eu", "task": "t" })),
            ("GET /tasks", "", "ListTasks", json!({ "artifacts": false })),
            (
                "GET /tasks?contextId=c+1&includeArtifacts=true&status=TASK_STATE_WORKING&pageSize=5",
                "",
                "ListTasks",
                json!({ "context": "c 1", "artifacts": true, "status": "TASK_STATE_WORKING" }),
            ),
            ("POST /tasks/t:cancel", "{}", "CancelTask", json!({ "task": "t" })),
            (
                "POST /tasks/t:cancel",
                r#"{"id":"t","metadata":{"a":1}}"#,
                "CancelTask",
                json!({ "task": "t", "metadata": { "a": 1 } }),
            ),
            ("GET /tasks/t:subscribe", "", "SubscribeToTask", json!({ "task": "t" })),
            ("POST /tasks/t:subscribe", "", "SubscribeToTask", json!({ "task": "t" })),
            (
                "POST /tasks/t/pushNotificationConfigs",
                r#"{"taskId":"t","url":"https://h"}"#,
                "CreateTaskPushNotificationConfig",
                json!({ "task": "t", "push_url": "https://h" }),
            ),
            (
                "DELETE /tasks/t/pushNotificationConfigs/c",
                "",
                "DeleteTaskPushNotificationConfig",
                json!({ "task": "t", "config": "c" }),
            ),
            ("GET /extendedAgentCard?A2A-Version=1.0", "", "GetExtendedAgentCard", json!({})),
        ] {
            let (read_as, _, read) =
                read(asked, body).unwrap_or_else(|why| panic!("{asked}: {why}"));
            assert_eq!((read_as, read), (action, arguments), "{asked}");
        }
        assert_eq!(read("GET /tasks/%74%20x", "").unwrap().1, "/tasks/t%20x");
        assert_eq!(
            read("GET /eu/tasks?A2A-Version=1.0&contextId=a+b", "").unwrap().1,
            "/eu/tasks?contextId=a%20b"
        );
        let message = r#"{"message":{"role":"ROLE_USER","parts":[{"text":"a"}]}}"#;
        let (action, target, arguments) = read("POST /eu/message:stream", message).unwrap();
        assert_eq!((action, target.as_str()), ("SendStreamingMessage", "/eu/message:stream"));
        assert_eq!((&arguments["tenant"], &arguments["text"]), (&json!("eu"), &json!("a")));
    }

    #[test]
    fn what_is_not_in_the_specification_is_unknown() {
        for asked in [
            "GET /",
            "POST /",
            "GET /message:send",
            "POST /message:sent",
            "POST /v1/tasks/t",
            "DELETE /tasks/t",
            "PUT /tasks/t",
            "HEAD /tasks/t",
            "GET /a/b/tasks",
            "GET /.well-known/other",
            "POST /tasks/t:resume",
            "GET /Tasks/t/x",
        ] {
            assert_eq!(read(asked, ""), Err(Unclear::Unknown), "{asked}");
        }
    }

    #[test]
    fn what_another_agent_could_read_otherwise_is_refused() {
        for asked in [
            "GET /tasks/tasks",
            "GET /tasks/..",
            "GET /tasks/%2e%2e",
            "GET /tasks/a%2fb",
            "GET /tasks/a:b",
            "GET /tasks/t:cancel",
            "GET /tasks/t:x:subscribe",
            "GET /a:b/tasks/t",
            "GET /tasks//t",
            "GET /tasks/t?historyLength=1&historyLength=2",
            "GET /tasks/t?history_length=1",
            "GET /tasks/t?tenant=eu",
            "GET /tasks/t?id=u",
            "GET /tasks?contextId=%00",
            "GET /tasks?a2a-version=1.0",
            "GET /tasks?A2A-Version=1.0&A2A-Version=0.3",
            "GET /tasks?includeArtifacts=1",
            "GET /tasks/t?historyLength=many",
        ] {
            let read = read(asked, "");
            assert!(read.is_err() && read != Err(Unclear::Unknown), "{asked}: {read:?}");
        }
        for (asked, body) in [
            ("GET /tasks/t", "{}"),
            ("POST /tasks/t:cancel", r#"{"id":"u"}"#),
            ("POST /tasks/t:cancel", r#"{"ID":"u"}"#),
            ("POST /eu/tasks/t:cancel", r#"{"tenant":"us"}"#),
            ("POST /tasks/t:cancel", "[]"),
            ("POST /tasks/t:cancel", "{"),
            ("POST /message:send", ""),
        ] {
            assert!(read(asked, body).is_err(), "{asked} {body}");
        }
    }

    proptest! {
        /// What is sent on is read as the same again.
        #[test]
        fn what_is_taken_has_one_spelling(path in "/(tasks|[a-z%.é]{1,4})(/([a-z.%;:é ]|%2[0-9a-f]){0,6}){0,3}", query in "((historyLength|contextId)=[ -~]{0,6})?") {
            if let Ok((action, target, arguments)) = read(&format!("GET {path}?{query}"), "") {
                prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(read(&format!("GET {target}"), "").unwrap(), (action, target, arguments));
            }
        }
    }
}
