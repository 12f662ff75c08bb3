//! Which conversation a request belongs to, by the ids of its protocol.

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Method};
use lockgate_model::agent::Protocol;

use super::dialect::{Form, bare};
use super::paths;
use super::pick::{Field, Picker, TEXT_BYTES_MAX};

/// The most of a request's body that is looked at. Ids further back are not found, and the request is
/// then routed by its sticky key.
pub const PEEK_BYTES_MAX: usize = 64 * 1024;

/// What a request says about where it belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestIds {
    /// The id of the conversation it continues, as its protocol has it.
    pub conversation: Option<String>,
}

/// Whether the ids of this request can be in its body.
pub fn request_wants_body(
    protocol: Protocol,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> bool {
    let responses = || {
        let path = bare(path);
        path.ends_with("/responses") || path.ends_with("/responses/compact")
    };
    let speaks = match protocol {
        Protocol::A2a => true,
        Protocol::Openai | Protocol::Auto => responses(),
        Protocol::Http | Protocol::Anthropic | Protocol::Mcp => false,
    };
    speaks
        && method == Method::POST
        && Form::of(headers) == Form::Json
        && headers.get(CONTENT_ENCODING).is_none_or(|value| value == "identity")
}

/// Reads the conversation's id. `body` is the body's beginning, at most [`PEEK_BYTES_MAX`] of which is
/// looked at; it may be cut anywhere.
pub fn request_ids(
    protocol: Protocol,
    path: &str,
    headers: &HeaderMap,
    body: Option<&[u8]>,
) -> RequestIds {
    let body = body.unwrap_or_default();
    let body = &body[..body.len().min(PEEK_BYTES_MAX)];
    let conversation = match protocol {
        Protocol::Http | Protocol::Anthropic => None,
        Protocol::Mcp => session(headers),
        Protocol::A2a => a2a(body).or_else(|| segment_after(path, "tasks")),
        Protocol::Openai => openai(body).or_else(|| openai_path(path, true)),
        Protocol::Auto => {
            session(headers).or_else(|| openai(body)).or_else(|| openai_path(path, false))
        }
    };
    RequestIds { conversation }
}

/// The session that an MCP client or server names.
pub(super) fn session(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("mcp-session-id")?.to_str().ok()?;
    acceptable(value).then(|| value.to_owned())
}

fn acceptable(id: &str) -> bool {
    !id.is_empty() && id.len() <= TEXT_BYTES_MAX
}

/// The conversation before the response that this one follows.
fn openai(body: &[u8]) -> Option<String> {
    let (mut conversation, mut previous) = (None, None);
    Picker::new(&paths::OPENAI_REQUEST).feed(body, &mut |field, found| match field {
        Field::ConversationId => conversation = found.text().or(conversation.take()),
        Field::PreviousId => previous = found.text(),
        _ => {}
    });
    conversation.or(previous).filter(|id| acceptable(id))
}

/// `/responses/{id}`, its sub-resources, and `/conversations/{id}`.
fn openai_path(path: &str, certain: bool) -> Option<String> {
    let id = segment_after(path, "responses").or_else(|| segment_after(path, "conversations"))?;
    // a path that was only guessed to be OpenAI's needs ids that look like theirs
    let theirs = id.starts_with("resp_") || id.starts_with("conv_");
    (theirs || (certain && id != "compact")).then_some(id)
}

/// The context before the task, and the message's own before what stands beside it.
fn a2a(body: &[u8]) -> Option<String> {
    let (mut context, mut task, mut id) = (None, None, None);
    Picker::new(&paths::A2A_REQUEST).feed(body, &mut |field, found| match field {
        Field::ContextId => context = found.text().filter(|id| acceptable(id)),
        Field::TaskId => task = found.text().filter(|id| acceptable(id)),
        Field::Id => id = found.text().filter(|id| acceptable(id)),
        _ => {}
    });
    context.or(task).or(id)
}

/// The path segment after `name`, without a custom method such as `:cancel`.
fn segment_after(path: &str, name: &str) -> Option<String> {
    let mut segments = bare(path).split('/');
    segments.find(|segment| *segment == name)?;
    let id = segments.next()?.split(':').next().unwrap_or_default();
    acceptable(id).then(|| id.to_owned())
}
