//! Servers with tools, and what they are shown.

use super::settings::secret;
use super::{Unique, duration_within, items, name, target};
use crate::config::field::Field;
use crate::config::file::{CredentialFile, OperationFile, Speaks, ToolServerFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::config::text::ModelText;
use crate::operation::{Call, Operation};
use crate::tool::{Credential, ModelPattern, Models, Tool, ToolProtocol};

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
) -> Vec<Tool> {
    let mut unique = Unique::of("tool");
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
        // A model that thinks says nothing for minutes, and nor does whoever does something elsewhere.
        let is_long = is_model(speaks) || speaks == Speaks::External;
        let usual_ms = if is_long { 10 * MINUTE_MS } else { MINUTE_MS };
        let timeout_ms =
            duration_within(report, &file.timeout, &path.key("timeout"), range, usual_ms);
        if let (Some(name), Some(url)) = (name, url) {
            tools.push(Tool { name, url, protocol, credential, timeout_ms });
        }
    }
    tools
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
    // A server may tell `/mcp/` from `/mcp`: the URL stays as it is written.
    target(report, &file.url, &path.key("url")).and(file.url.ok()).map(|url| url.0.clone())
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
        Speaks::External => ToolProtocol::External,
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
    let ours = ["mcp-", "lockgate-", "proxy-"].iter().any(|ours| header.starts_with(ours));
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
