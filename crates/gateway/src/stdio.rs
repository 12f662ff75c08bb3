//! What stands between an agent and an MCP server that talk over pipes: which lines pass, which are asked about first,
//! and what is told of their answers. The same methods pass as over HTTP. No pipes, no clock and no decisions in here:
//! whoever has them drives it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::egress::exact;
use crate::egress::outcome::End;
use crate::egress::relay::end_of;
use crate::ingress::headers::{INTERACTION, TRACEPARENT};
use crate::protocol::json::Malformed;
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::Family;
use crate::protocol::mcp::list;
use crate::protocol::mcp::message::Message;
use crate::protocol::mcp::method::{self, Kind, PROMPT, READ};

/// Requests under way at once.
const UNDER_WAY_MAX: usize = 1_024;
/// The code of an action that is refused and has no other form.
const REFUSED: i64 = 403;

/// What is to be done with a line of the client's.
#[derive(Debug, Clone, PartialEq)]
pub enum FromClient {
    /// Nothing.
    Drop,
    /// The client is told this.
    Answer(String),
    /// It passes if all of these actions could be allowed; of none of them, if somebody is there to ask. See
    /// [`Shim::permitted`].
    Ask {
        /// The request's id; `None` for what wants no answer.
        id: Option<Value>,
        /// The actions.
        actions: Vec<&'static str>,
    },
    /// It is decided about; see [`Shim::decided`].
    Decide(Question),
    /// The client wants an answer no more. It passes whatever anybody says, and this is told.
    Cancel(Option<Told>),
}

/// An action, as it is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The request's id.
    pub id: Value,
    /// What is asked for: a tool's name, `resources/read` or `prompts/get`.
    pub action: String,
    /// With what.
    pub arguments: Value,
    /// Exactly what is asked for, as text.
    pub exact: String,
    /// The interaction that the client names.
    pub interaction: Option<String>,
    /// Its trace.
    pub traceparent: Option<String>,
}

/// What was said about a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It may be done; its intent is recorded there.
    Allow {
        /// The intent's place.
        record: u64,
    },
    /// It does not exist for this agent.
    Hidden,
    /// It may not be done, for this reason.
    Refused(String),
    /// Nobody said anything. What that is, in words.
    Silence(String),
}

/// An outcome to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The intent's place.
    pub record: u64,
    /// What is told of it.
    pub outcome: Value,
}

/// What becomes of a line that was asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It passes.
    Pass,
    /// It does not, and the client is told this.
    Answer(String),
    /// It does not, and nobody waits any more.
    Drop(Option<Told>),
}

/// What is to be done with a line of the server's.
#[derive(Debug, Clone, PartialEq)]
pub enum FromServer {
    /// It does not pass.
    Drop,
    /// It passes, and this is told.
    Pass(Option<Told>),
    /// A list of tools: it is asked which of them are permitted, and [`Listed::cut_down`] passes.
    List(Listed),
}

/// A list of tools.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    id: Value,
    result: Value,
}

impl Listed {
    /// Names of its tools.
    pub fn names(&self) -> Vec<&str> {
        let tools = self.result.get("tools").and_then(Value::as_array).into_iter().flatten();
        let names = tools.filter_map(|tool| tool.get("name")?.as_str());
        names.filter(|name| method::is_tool_name(name)).collect()
    }

    /// The answer with these tools alone.
    pub fn cut_down(mut self, permitted: &[String]) -> String {
        list::cut_down(&mut self.result, |name, _| permitted.iter().any(|one| one == name));
        json!({ "jsonrpc": "2.0", "id": self.id, "result": self.result }).to_string()
    }

    /// What the client is told instead when nobody says which are.
    pub fn refused(&self, why: &str) -> String {
        error(&self.id, code::INTERNAL_ERROR, &refused_text(why))
    }
}

/// A request under way.
#[derive(Debug)]
struct UnderWay {
    family: Family,
    kind: Kind,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is asked about.
    Asked,
    /// The same, and the client does not want it any more.
    Unwanted,
    /// The server has it; with the place of its intent.
    Passed(Option<u64>),
}

/// Both directions of one pair of pipes.
#[derive(Debug, Default)]
pub struct Shim {
    under_way: HashMap<String, UnderWay>,
}

impl Shim {
    /// Looks at a line of the client's.
    pub fn from_client(&mut self, line: &[u8]) -> FromClient {
        let message = match Message::read(line) {
            Ok(message) => message,
            Err(malformed) => return FromClient::Answer(unreadable(&malformed)),
        };
        match message {
            Message::Request { id, method, params } => match self.request(&id, &method, &params) {
                Ok(FromClient::Decide(question)) => {
                    // The line itself goes to the server: a number must not be another one here.
                    let exact = exact::params(line).unwrap_or_default();
                    FromClient::Decide(Question { exact, ..question })
                }
                Ok(asked) => asked,
                Err(answer) => FromClient::Answer(answer),
            },
            Message::Notification { method, params } => {
                // Over pipes the newer family cancels like the older: there is no stream to close.
                if !method::is_client_note(Family::Session, &method) {
                    return FromClient::Drop;
                }
                match params.get("requestId").filter(|_| method == "notifications/cancelled") {
                    Some(request) => FromClient::Cancel(self.cancel(request)),
                    None => FromClient::Ask { id: None, actions: Vec::new() },
                }
            }
            Message::Response { .. } => FromClient::Ask { id: None, actions: Vec::new() },
        }
    }

    fn request(
        &mut self,
        id: &Value,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<FromClient, String> {
        let family = Family::of_params(params)
            .map_err(|mismatch| error_with(id, mismatch.code, &mismatch.message, mismatch.data))?;
        let kind = method::of_client(family, method).ok_or_else(|| no_method(id, method))?;
        if self.under_way.len() >= UNDER_WAY_MAX || self.under_way.contains_key(&key(id)) {
            let message = "this id is under way already, or too many requests are";
            return Err(error(id, code::INVALID_REQUEST, message));
        }
        let ask = |actions| FromClient::Ask { id: Some(id.clone()), actions };
        let asked = match kind {
            Kind::Plain | Kind::ListTools => ask(Vec::new()),
            Kind::About(action) => ask(vec![action]),
            Kind::Complete => match params.get("ref").and_then(|of| of.get("type")?.as_str()) {
                Some("ref/prompt") => ask(vec![PROMPT]),
                Some("ref/resource") => ask(vec![READ]),
                _ => return Err(invalid(id, "`ref` is neither a prompt nor a resource")),
            },
            Kind::Call | Kind::Action(_) if !method::has_only_known(family, params) => {
                return Err(invalid(id, "`params` has fields that are not known here"));
            }
            Kind::Call => FromClient::Decide(call(id, params)?),
            Kind::Action(action) => FromClient::Decide(of_action(id, action, params)?),
        };
        self.under_way.insert(key(id), UnderWay { family, kind, state: State::Asked });
        Ok(asked)
    }

    fn cancel(&mut self, request: &Value) -> Option<Told> {
        let key = key(request);
        match self.under_way.get_mut(&key)?.state {
            State::Asked | State::Unwanted => {
                self.under_way.get_mut(&key)?.state = State::Unwanted;
                None
            }
            State::Passed(record) => {
                self.under_way.remove(&key);
                record.map(|record| Told { record, outcome: json!({ "outcome": "cancelled" }) })
            }
        }
    }

    /// What was said about [`FromClient::Ask`]: whether all actions could be allowed, or that nobody answered.
    pub fn permitted(&mut self, id: Option<&Value>, said: Result<bool, String>) -> Next {
        let Some(id) = id else {
            return if said.is_ok() { Next::Pass } else { Next::Drop(None) };
        };
        let Some(under_way) = self.under_way.get_mut(&key(id)) else { return Next::Drop(None) };
        let unwanted = under_way.state == State::Unwanted;
        if said == Ok(true) && !unwanted {
            under_way.state = State::Passed(None);
            return Next::Pass;
        }
        self.under_way.remove(&key(id));
        match said {
            _ if unwanted => Next::Drop(None),
            Ok(_) => Next::Answer(error(id, code::METHOD_NOT_FOUND, "Method not found")),
            Err(why) => Next::Answer(error(id, code::INTERNAL_ERROR, &refused_text(&why))),
        }
    }

    /// What was said about [`FromClient::Decide`].
    pub fn decided(&mut self, question: &Question, decision: Decision) -> Next {
        let id = &question.id;
        let Some(under_way) = self.under_way.get_mut(&key(id)) else { return Next::Drop(None) };
        let (family, kind) = (under_way.family, under_way.kind);
        let unwanted = under_way.state == State::Unwanted;
        if let Decision::Allow { record } = decision
            && !unwanted
        {
            under_way.state = State::Passed(Some(record));
            return Next::Pass;
        }
        self.under_way.remove(&key(id));
        let refused = |text: &str| match kind {
            Kind::Call => refused_call(family, id, text),
            _ => error(id, REFUSED, text),
        };
        match decision {
            Decision::Allow { record } => {
                let outcome = json!({ "outcome": "cancelled", "forwarded": false });
                Next::Drop(Some(Told { record, outcome }))
            }
            _ if unwanted => Next::Drop(None),
            Decision::Hidden if kind == Kind::Call => {
                let message = format!("Unknown tool: {}", question.action);
                Next::Answer(error(id, code::INVALID_PARAMS, &message))
            }
            Decision::Hidden => Next::Answer(no_method(id, &question.action)),
            Decision::Refused(text) => Next::Answer(refused(&text)),
            Decision::Silence(why) => Next::Answer(refused(&refused_text(&why))),
        }
    }

    /// Looks at a line of the server's.
    pub fn from_server(&mut self, line: &[u8]) -> FromServer {
        let Ok(message) = Message::read_answer(line) else { return FromServer::Drop };
        let passes = |passes: bool| if passes { FromServer::Pass(None) } else { FromServer::Drop };
        let (id, result) = match message {
            Message::Request { method, .. } => {
                return passes(method::is_server_request(Family::Session, &method));
            }
            Message::Notification { method, .. } => return passes(method::is_server_note(&method)),
            Message::Response { id, result } => (id, result),
        };
        let key = key(&id);
        let Some(State::Passed(record)) = self.under_way.get(&key).map(|one| one.state) else {
            return FromServer::Drop;
        };
        let kind = self.under_way.remove(&key).map(|one| one.kind);
        let told = record.map(|record| Told { record, outcome: outcome_of(end_of(&result)) });
        match result {
            // Whatever it answers, tools are shown by a list alone.
            Ok(result) if kind == Some(Kind::ListTools) || has_tools(kind, &result) => {
                FromServer::List(Listed { id, result })
            }
            _ => FromServer::Pass(told),
        }
    }

    /// One side has gone: what is to be told of what is under way. `left` when it was the client.
    pub fn ended(&mut self, left: bool) -> Vec<Told> {
        let outcome = if left { "cancelled" } else { "cut" };
        let all = std::mem::take(&mut self.under_way);
        let passed = all.into_values().filter_map(|one| match one.state {
            State::Passed(record) => record,
            _ => None,
        });
        passed.map(|record| Told { record, outcome: json!({ "outcome": outcome }) }).collect()
    }
}

/// A list of tools in an answer to something else that nothing is recorded of.
fn has_tools(kind: Option<Kind>, result: &Value) -> bool {
    !matches!(kind, Some(Kind::Call | Kind::Action(_))) && result.get("tools").is_some()
}

fn key(id: &Value) -> String {
    id.to_string()
}

fn call(id: &Value, params: &Map<String, Value>) -> Result<Question, String> {
    let name = params.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid(id, "`name` is missing, or no text"))?;
    let arguments = match params.get("arguments") {
        None => json!({}),
        Some(arguments @ Value::Object(_)) => arguments.clone(),
        Some(_) => return Err(invalid(id, "`arguments` is not an object")),
    };
    if params.contains_key("task") {
        return Err(invalid(id, "calls that run as tasks are not forwarded"));
    }
    if !method::is_tool_name(name) {
        let name: String = name.chars().take(128).collect();
        return Err(invalid(id, &format!("Unknown tool: {name}")));
    }
    Ok(question(id, name, arguments, params))
}

fn of_action(id: &Value, action: &str, params: &Map<String, Value>) -> Result<Question, String> {
    let field = if action == READ { "uri" } else { "name" };
    if !params.get(field).is_some_and(Value::is_string) {
        return Err(invalid(id, "what it is about is missing, or no text"));
    }
    let mut arguments = Map::new();
    for field in [field, "arguments"] {
        if let Some(value) = params.get(field) {
            arguments.insert(field.to_owned(), value.clone());
        }
    }
    Ok(question(id, action, Value::Object(arguments), params))
}

fn question(id: &Value, action: &str, arguments: Value, params: &Map<String, Value>) -> Question {
    let meta = |name: &str| params.get("_meta")?.get(name)?.as_str().map(str::to_owned);
    Question {
        id: id.clone(),
        action: action.to_owned(),
        arguments,
        exact: String::new(),
        interaction: meta(INTERACTION.as_str()),
        traceparent: meta(TRACEPARENT.as_str()),
    }
}

fn outcome_of(end: End) -> Value {
    match end {
        End::InputRequired => json!({ "outcome": "input_required" }),
        End::ToolError => json!({ "outcome": "tool_error" }),
        End::Error(code) => json!({ "outcome": "error", "code": code }),
        _ => json!({ "outcome": "ok" }),
    }
}

fn error(id: &Value, code: i64, message: &str) -> String {
    error_with(id, code, message, None)
}

fn error_with(id: &Value, code: i64, message: &str, data: Option<Value>) -> String {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

fn invalid(id: &Value, message: &str) -> String {
    error(id, code::INVALID_PARAMS, message)
}

fn no_method(id: &Value, method: &str) -> String {
    let method: String = method.chars().take(64).collect();
    error(id, code::METHOD_NOT_FOUND, &format!("Method not found: {method}"))
}

fn unreadable(malformed: &Malformed) -> String {
    let code = match malformed {
        Malformed::Json(_) => code::PARSE_ERROR,
        Malformed::Shape(_) => code::INVALID_REQUEST,
    };
    error(&Value::Null, code, &malformed.to_string())
}

fn refused_text(why: &str) -> String {
    format!("Refused by Lockgate: {}. (not recorded)", why.trim_end_matches('.'))
}

/// A call that is refused: a result that says so, so that the model can do something else.
fn refused_call(family: Family, id: &Value, text: &str) -> String {
    let mut result = json!({ "content": [{ "type": "text", "text": text }], "isError": true });
    if family == Family::Stateless {
        result["resultType"] = "complete".into();
    }
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string().into()
    }

    fn call_of(id: u64, name: &str) -> Vec<u8> {
        request(id, "tools/call", &json!({ "name": name, "arguments": { "path": "/a" } }))
    }

    fn answer(id: u64, result: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into()
    }

    fn cancel(id: u64) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
            .to_string()
            .into()
    }

    /// A call that is asked about.
    fn asked(shim: &mut Shim, id: u64, name: &str) -> Question {
        match shim.from_client(&call_of(id, name)) {
            FromClient::Decide(question) => question,
            other => panic!("{other:?}"),
        }
    }

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_allowed_call_passes_and_its_answer_is_told_once() {
        let mut shim = Shim::default();
        let question = asked(&mut shim, 1, "read");
        assert_eq!(
            (question.action.as_str(), &question.arguments),
            ("read", &json!({ "path": "/a" }))
        );
        let early = shim.from_server(&answer(1, &json!({ "content": [] })));
        assert_eq!(early, FromServer::Drop, "nobody has passed it on yet");
        assert_eq!(shim.decided(&question, Decision::Allow { record: 9 }), Next::Pass);
        let told = |outcome: Value| FromServer::Pass(Some(Told { record: 9, outcome }));
        let done = shim.from_server(&answer(1, &json!({ "content": [], "isError": true })));
        assert_eq!(done, told(json!({ "outcome": "tool_error" })));
        assert_eq!(shim.from_server(&answer(1, &json!({}))), FromServer::Drop);
        // Another id's answer is not its.
        let question = asked(&mut shim, 2, "read");
        shim.decided(&question, Decision::Allow { record: 9 });
        let other = json!({ "jsonrpc": "2.0", "id": "2", "result": {} }).to_string();
        assert_eq!(shim.from_server(other.as_bytes()), FromServer::Drop);
        let failed = json!({ "jsonrpc": "2.0", "id": 2, "error": { "code": -5, "message": "no" } });
        assert_eq!(
            shim.from_server(failed.to_string().as_bytes()),
            told(json!({ "outcome": "error", "code": -5 }))
        );
    }

    #[test]
    fn what_is_not_allowed_does_not_pass_and_is_said_in_the_protocols_form() {
        let mut shim = Shim::default();
        for (decision, want) in [
            (
                Decision::Hidden,
                json!({ "error": { "code": -32602, "message": "Unknown tool: read" } }),
            ),
            (
                Decision::Refused("no".into()),
                json!({ "result": { "content": [{ "type": "text", "text": "no" }], "isError": true } }),
            ),
            (
                Decision::Silence("nobody is there".into()),
                json!({ "result": { "content": [{ "type": "text",
                    "text": "Refused by Lockgate: nobody is there. (not recorded)" }], "isError": true } }),
            ),
        ] {
            let question = asked(&mut shim, 1, "read");
            let Next::Answer(text) = shim.decided(&question, decision) else { panic!("an answer") };
            let mut want = want;
            want["jsonrpc"] = "2.0".into();
            want["id"] = 1.into();
            assert_eq!(json_of(&text), want);
        }
        let read = request(2, "resources/read", &json!({ "uri": "file:///a" }));
        let FromClient::Decide(question) = shim.from_client(&read) else { panic!("a question") };
        assert_eq!(question.arguments, json!({ "uri": "file:///a" }));
        let Next::Answer(text) = shim.decided(&question, Decision::Refused("no".into())) else {
            panic!("an answer")
        };
        assert_eq!(json_of(&text)["error"], json!({ "code": 403, "message": "no" }));
        assert!(shim.under_way.is_empty());
    }

    #[test]
    fn frames_that_are_not_decided_pass_if_somebody_is_there() {
        let mut shim = Shim::default();
        for (method, actions) in [
            ("initialize", vec![]),
            ("ping", vec![]),
            ("tools/list", vec![]),
            ("resources/list", vec![READ]),
            ("prompts/list", vec![PROMPT]),
        ] {
            let ask = FromClient::Ask { id: Some(1.into()), actions };
            for (said, passes) in
                [(Ok(true), true), (Ok(false), false), (Err("away".to_owned()), false)]
            {
                assert_eq!(shim.from_client(&request(1, method, &json!({}))), ask, "{method}");
                let next = shim.permitted(Some(&1.into()), said);
                assert_eq!(next == Next::Pass, passes, "{method} {next:?}");
                shim.under_way.clear();
            }
        }
        let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(shim.from_client(note), FromClient::Ask { id: None, actions: vec![] });
        assert_eq!(shim.permitted(None, Ok(true)), Next::Pass);
        assert_eq!(shim.permitted(None, Err("away".into())), Next::Drop(None));
        for (bad, code) in [
            (request(1, "tasks/get", &json!({})), -32601),
            (request(1, "server/discover", &json!({})), -32601),
            (b"[]".to_vec(), -32600),
            (b"{".to_vec(), -32700),
            (request(1, "tools/call", &json!({ "name": 7 })), -32602),
            (request(1, "tools/call", &json!({ "name": "a b" })), -32602),
            (request(1, "tools/call", &json!({ "name": "a", "task": {} })), -32602),
            (
                request(
                    1,
                    "ping",
                    &json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2031-01-01" } }),
                ),
                -32022,
            ),
        ] {
            let FromClient::Answer(text) = shim.from_client(&bad) else { panic!("an answer") };
            assert_eq!(json_of(&text)["error"]["code"], code);
        }
        let odd = br#"{"jsonrpc":"2.0","method":"notifications/odd"}"#;
        assert_eq!(shim.from_client(odd), FromClient::Drop);
    }

    #[test]
    fn lists_show_what_is_permitted() {
        let mut shim = Shim::default();
        shim.from_client(&request(1, "tools/list", &json!({})));
        shim.permitted(Some(&1.into()), Ok(true));
        let tools =
            json!({ "tools": [{ "name": "read" }, { "name": "secret" }, { "name": "a b" }] });
        let FromServer::List(listed) = shim.from_server(&answer(1, &tools)) else {
            panic!("a list")
        };
        assert_eq!(listed.names(), ["read", "secret"]);
        assert_eq!(json_of(&listed.refused("away"))["error"]["code"], -32603);
        let text = listed.cut_down(&["read".to_owned()]);
        assert_eq!(json_of(&text)["result"], json!({ "tools": [{ "name": "read" }] }));
        // A list that nobody asked for is one all the same.
        shim.from_client(&request(2, "ping", &json!({})));
        shim.permitted(Some(&2.into()), Ok(true));
        assert!(matches!(shim.from_server(&answer(2, &tools)), FromServer::List(_)));
    }

    #[test]
    fn what_is_cancelled_is_told_so_and_its_answer_is_nobodys() {
        let mut shim = Shim::default();
        let question = asked(&mut shim, 1, "read");
        shim.decided(&question, Decision::Allow { record: 9 });
        let told = |forwarded: Value| Told { record: 9, outcome: forwarded };
        let cancelled = FromClient::Cancel(Some(told(json!({ "outcome": "cancelled" }))));
        assert_eq!(shim.from_client(&cancel(1)), cancelled);
        assert_eq!(shim.from_server(&answer(1, &json!({}))), FromServer::Drop);
        // Before it was decided: then it is not done.
        let question = asked(&mut shim, 2, "read");
        assert_eq!(shim.from_client(&cancel(2)), FromClient::Cancel(None));
        let next = shim.decided(&question, Decision::Allow { record: 9 });
        let dropped = json!({ "outcome": "cancelled", "forwarded": false });
        assert_eq!(next, Next::Drop(Some(told(dropped))));
        let question = asked(&mut shim, 3, "read");
        shim.decided(&question, Decision::Allow { record: 4 });
        asked(&mut shim, 4, "read");
        let left = Told { record: 4, outcome: json!({ "outcome": "cancelled" }) };
        assert_eq!(shim.ended(true), [left]);
        assert_eq!(shim.ended(false), []);
    }

    #[test]
    fn an_id_is_one_request_and_there_are_not_too_many() {
        let mut shim = Shim::default();
        asked(&mut shim, 0, "read");
        for id in [0, UNDER_WAY_MAX as u64] {
            if id > 0 {
                (1..id).for_each(|id| drop(asked(&mut shim, id, "read")));
            }
            let FromClient::Answer(text) = shim.from_client(&call_of(id, "read")) else {
                panic!("an answer")
            };
            assert_eq!(json_of(&text)["error"]["code"], -32600);
        }
    }

    #[test]
    fn a_server_says_what_it_may() {
        let mut shim = Shim::default();
        let request =
            |method: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": method }).to_string();
        let note = |method: &str| json!({ "jsonrpc": "2.0", "method": method }).to_string();
        for (line, passes) in [
            (request("sampling/createMessage"), true),
            (request("files/steal"), false),
            (note("notifications/progress"), true),
            (note("notifications/odd"), false),
            ("a log line".to_owned(), false),
            ("[]".to_owned(), false),
        ] {
            assert_eq!(
                shim.from_server(line.as_bytes()) == FromServer::Pass(None),
                passes,
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_lines_are_taken(lines in prop::collection::vec((any::<bool>(), ".{0,120}"), 0..20)) {
            let mut shim = Shim::default();
            for (client, line) in lines {
                if client { shim.from_client(line.as_bytes()); } else { shim.from_server(line.as_bytes()); }
            }
        }
    }
}
