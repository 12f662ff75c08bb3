//! Servers with tools, and what they are shown.

use std::collections::HashMap;

use super::settings::secret;
use super::{Unique, duration_within, items, known_agent, name, size, target};
use crate::config::field::Field;
use crate::config::file::{AddressesFile, CredentialFile, OperationFile, Speaks, ToolServerFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::config::text::ModelText;
use crate::destination::Destination;
use crate::ids::{AgentName, ToolName};
use crate::operation::{Call, Operation};
use crate::tool::{
    Addresses, Breaker, Credential, ModelPattern, Models, Tool, ToolLimits, ToolMode, ToolProtocol,
};

/// Headers that say how a request is to be read, or that are the protocol's own.
const NOT_A_CREDENTIAL: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn tools(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<ToolServerFile>>>,
    path: &Path,
    agents: &[String],
) -> Vec<Tool> {
    let mut unique = Unique::of("tool");
    let mut places = Places::default();
    let mut tools = Vec::new();
    for (path, file) in items(report, list, path) {
        let name_path = path.key("name");
        if let Some(name) = file.name.ok() {
            unique.check(report, &name.0, &name_path);
        }
        let name = name(report, &file.name, &name_path);
        let speaks = report.take_or(&file.protocol, &path.key("protocol"), Speaks::Mcp);
        let protocol = protocol(report, speaks, file, &path);
        let url = url(report, speaks, file, &path);
        let credential_path = path.key("credential");
        let credential = report
            .take(&file.credential, &credential_path)
            .and_then(|file| credential(report, file, speaks, &credential_path));
        let range = (SECOND_MS, HOUR_MS);
        // A model or an agent that thinks says nothing for minutes, and nor does whoever does something elsewhere, or
        // keeps a connection for later.
        let is_long =
            is_model(speaks) || matches!(speaks, Speaks::A2a | Speaks::External | Speaks::Tunnel);
        let usual_ms = if is_long { 10 * MINUTE_MS } else { MINUTE_MS };
        let timeout_ms =
            duration_within(report, &file.timeout, &path.key("timeout"), range, usual_ms);
        let limits = limits(report, file, speaks, &path);
        let mode_path = path.key("mode");
        let mode = report.take_or(&file.mode, &mode_path, ToolMode::Enforce);
        if mode == ToolMode::Shadow {
            let message = "what its policy says is recorded, and nothing is refused";
            report.warning(&mode_path, message, "leave `mode` out once the policy is right");
        }
        let agent = agent(report, speaks, file, &path, agents);
        if let (Some(name), Some(url)) = (name, url) {
            places.check(report, &name, &protocol, &url, &path.key("url"));
            tools.push(Tool { name, url, protocol, credential, timeout_ms, limits, mode, agent });
        }
    }
    tools
}

/// Which of the file's agents it is.
fn agent(
    report: &mut Report<'_>,
    speaks: Speaks,
    file: &ToolServerFile,
    path: &Path,
    agents: &[String],
) -> Option<AgentName> {
    let path = path.key("agent");
    if speaks != Speaks::A2a && !file.agent.is_missing() {
        let hint = "set `protocol: a2a`, or leave it out";
        report.key_error(&path, "only other agents have `agent`", hint);
    }
    known_agent(report, &file.agent, &path, agents)
}

fn limits(
    report: &mut Report<'_>,
    file: &ToolServerFile,
    speaks: Speaks,
    path: &Path,
) -> ToolLimits {
    let usual = ToolLimits::default();
    let breaker_path = path.key("breaker");
    if speaks == Speaks::External && !file.breaker.is_missing() {
        let message =
            "an external tool has no `breaker`: how it does is known by the agent's word alone";
        report.key_error(&breaker_path, message, "leave it out");
    }
    let breaker = report.take(&file.breaker, &breaker_path).map(|file| {
        let pause_path = breaker_path.key("pause");
        let range = (SECOND_MS, HOUR_MS);
        Breaker {
            failures: report.take_or(&file.failures, &breaker_path.key("failures"), 5),
            pause_ms: duration_within(report, &file.pause, &pause_path, range, 30 * SECOND_MS),
        }
    });
    let lasts_path = path.key("lasts_max");
    let lasts_max_ms = (!file.lasts_max.is_missing()).then(|| {
        duration_within(report, &file.lasts_max, &lasts_path, (SECOND_MS, 24 * HOUR_MS), HOUR_MS)
    });
    ToolLimits {
        at_once_max: report.take_or(&file.at_once_max, &path.key("at_once_max"), usual.at_once_max),
        breaker,
        answer_bytes_max: answer_max(report, file, &path.key("answer_max")),
        lasts_max_ms,
    }
}

/// What is passed on is never more than this.
fn answer_max(report: &mut Report<'_>, file: &ToolServerFile, path: &Path) -> u64 {
    let most = ToolLimits::default().answer_bytes_max;
    let wanted = size(report, &file.answer_max, path).unwrap_or(most);
    if wanted > most {
        let message = "`answer_max` is more than 256MiB";
        report.error(path, message, "leave it out for the most there is");
    }
    wanted
}

/// Where it is; nothing for what is reached by others.
fn url(
    report: &mut Report<'_>,
    speaks: Speaks,
    file: &ToolServerFile,
    path: &Path,
) -> Option<String> {
    if speaks == Speaks::External {
        let hint = "leave it out: whoever asks about this tool reaches it";
        for (name, is_missing) in
            [("url", file.url.is_missing()), ("credential", file.credential.is_missing())]
        {
            if !is_missing {
                let message = format!("an external tool has no `{name}`");
                report.key_error(&path.key(name), message, hint);
            }
        }
        return Some(String::new());
    }
    if file.url.is_missing() {
        report.missing(
            path,
            "url",
            "`url` is missing",
            "add `url: http://127.0.0.1:9001`. Where it is, path included.",
        );
    }
    if speaks == Speaks::Tunnel {
        return tunnel_url(report, file, path);
    }
    // A server may tell `/mcp/` from `/mcp`: the URL stays as it is written.
    target(report, &file.url, &path.key("url")).and(file.url.ok()).map(|url| url.0.clone())
}

/// A host and a port of TLS. What is in it nobody sees, so it has neither a path nor a credential.
fn tunnel_url(report: &mut Report<'_>, file: &ToolServerFile, path: &Path) -> Option<String> {
    if !file.credential.is_missing() {
        let hint = "leave it out: nothing can be put into what is encrypted";
        report.key_error(&path.key("credential"), "a tunnel has no `credential`", hint);
    }
    if !file.answer_max.is_missing() {
        let hint = "leave it out: nobody sees what an answer is";
        report.key_error(&path.key("answer_max"), "a tunnel has no `answer_max`", hint);
    }
    let path = path.key("url");
    let (url, _) = target(report, &file.url, &path)?;
    let authority = url.strip_prefix("https://");
    if authority.is_none_or(|authority| authority.contains('/')) {
        let hint = "write it like `https://pypi.org` or `https://pypi.org:8443`";
        report.error(&path, "a tunnel leads to a host that speaks TLS, and has no path", hint);
        return None;
    }
    if let Err(why) = Destination::of_url(&url) {
        report.error(&path, why.to_string(), "write it like `https://pypi.org`");
        return None;
    }
    Some(url)
}

/// Where tools are. A tunnel to a place that another tool is at would lead around what rules say of that.
#[derive(Default)]
struct Places(HashMap<Destination, (ToolName, bool)>);

impl Places {
    fn check(
        &mut self,
        report: &mut Report<'_>,
        name: &ToolName,
        protocol: &ToolProtocol,
        url: &str,
        path: &Path,
    ) {
        let Ok(to) = Destination::of_url(url) else { return };
        let is_tunnel = matches!(protocol, ToolProtocol::Tunnel(_));
        match self.0.get(&to) {
            Some((other, other_is_tunnel)) if is_tunnel || *other_is_tunnel => {
                let message =
                    format!("`{to}` is where tool `{other}` is: a tunnel would lead around it");
                report.error(path, message, "leave out one of the two");
            }
            Some(_) => {}
            None => drop(self.0.insert(to, (name.clone(), is_tunnel))),
        }
    }
}

fn is_model(speaks: Speaks) -> bool {
    matches!(speaks, Speaks::Openai | Speaks::Anthropic)
}

/// What is spoken, with what belongs to it; what belongs to something else is an error.
fn protocol(
    report: &mut Report<'_>,
    speaks: Speaks,
    file: &ToolServerFile,
    path: &Path,
) -> ToolProtocol {
    let of_models = Models(models(report, &file.models, &path.key("models")));
    let operations = operations(report, file, path);
    if !is_model(speaks) && !file.models.is_missing() {
        let hint = "set `protocol: openai` or `protocol: anthropic`, or leave it out";
        report.key_error(&path.key("models"), "only model APIs have `models`", hint);
    }
    if speaks != Speaks::Http && !file.operations.is_missing() {
        let hint = "set `protocol: http`, or leave it out";
        report.key_error(&path.key("operations"), "only HTTP tools have `operations`", hint);
    }
    let addresses = match report.take(&file.addresses, &path.key("addresses")) {
        Some(AddressesFile::Private) => Addresses::Private,
        Some(AddressesFile::Public) | None => Addresses::Public,
    };
    if speaks != Speaks::Tunnel && !file.addresses.is_missing() {
        let hint = "set `protocol: tunnel`, or leave it out";
        report.key_error(&path.key("addresses"), "only tunnels have `addresses`", hint);
    }
    match speaks {
        Speaks::Mcp => ToolProtocol::Mcp,
        Speaks::Openai => ToolProtocol::Openai(of_models),
        Speaks::Anthropic => ToolProtocol::Anthropic(of_models),
        Speaks::Http => {
            if file.operations.is_missing() {
                let message = "`operations` is missing: nothing can be asked of this tool";
                let hint = "list what may be: `operations: [{ name: look_up, call: \"GET /orders/{id}\" }]`";
                report.missing(path, "operations", message, hint);
            }
            ToolProtocol::Http(operations)
        }
        Speaks::A2a => ToolProtocol::A2a,
        Speaks::External => ToolProtocol::External,
        Speaks::Tunnel => ToolProtocol::Tunnel(addresses),
    }
}

fn models(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<ModelText>>>,
    path: &Path,
) -> Option<Vec<ModelPattern>> {
    if list.is_missing() {
        return None;
    }
    let all = items(report, list, path);
    Some(all.into_iter().map(|(_, text)| ModelPattern(text.0.clone())).collect())
}

fn operations(report: &mut Report<'_>, file: &ToolServerFile, path: &Path) -> Vec<Operation> {
    let mut unique = Unique::of("operation");
    let mut all: Vec<Operation> = Vec::new();
    for (path, file) in items(report, &file.operations, &path.key("operations")) {
        let call_path = path.key("call");
        let name = report.take(&file.name, &path.key("name")).map(|name| name.0.clone());
        if let Some(name) = &name {
            unique.check(report, name, &path.key("name"));
        }
        let call = report.take(&file.call, &call_path).map(|text| text.0.parse::<Call>());
        let call = match call {
            Some(Err(why)) => {
                let hint = "write it like `GET /orders/{id}`; a query is declared in `query`";
                report.error(&call_path, format!("`call` {why}"), hint);
                continue;
            }
            Some(Ok(call)) => call,
            None => continue,
        };
        if let Some(other) = all.iter().find(|other| other.call.is_mistaken_for(&call)) {
            let message = format!("`{call}` and `{}` can mean the same path", other.call);
            report.error(
                &call_path,
                message,
                "make one of them about fewer paths, or leave it out",
            );
        }
        let query = query(report, file, &call, &path.key("query"));
        if let Some(name) = name {
            all.push(Operation { name, call, query });
        }
    }
    all
}

/// Names in the query, none of which may be mistaken for an argument of the path.
fn query(report: &mut Report<'_>, file: &OperationFile, call: &Call, path: &Path) -> Vec<String> {
    let mut unique = Unique::of("argument");
    let mut names = Vec::new();
    for (path, name) in items(report, &file.query, path) {
        if call.arguments().any(|argument| argument == name.0) {
            let message = format!("`{}` is an argument of the path already", name.0);
            report.error(&path, message, "rename the one in `call`");
            continue;
        }
        unique.check(report, &name.0, &path);
        names.push(name.0.clone());
    }
    names
}

fn credential(
    report: &mut Report<'_>,
    file: &CredentialFile,
    speaks: Speaks,
    path: &Path,
) -> Option<Credential> {
    let usual = if speaks == Speaks::Anthropic { "x-api-key" } else { "authorization" };
    let header = report
        .take(&file.header, &path.key("header"))
        .map_or_else(|| usual.to_owned(), |header| header.0.to_ascii_lowercase());
    let ours = ["mcp-", "a2a-", "lockgate-", "proxy-"].iter().any(|ours| header.starts_with(ours));
    if ours || NOT_A_CREDENTIAL.contains(&header.as_str()) {
        let message = format!("`{header}` is no header for a credential");
        report.error(
            &path.key("header"),
            message,
            "use `authorization`, or the one that the server asks for",
        );
    }
    let value = secret(report, &file.value, &path.key("value"))?;
    Some(Credential { header, value })
}
