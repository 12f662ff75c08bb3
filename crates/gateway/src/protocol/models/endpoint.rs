//! The endpoints that agents may call. What is not named here does not exist.

use http::Method;

use super::Api;

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A list of models: no body, and an answer that is cut down.
    Models,
    Chat,
    Responses,
    Embeddings,
    Messages,
    CountTokens,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) kind: Kind,
    /// The action's name in policies.
    pub(crate) action: &'static str,
    /// After the base URL.
    pub(crate) path: &'static str,
    /// Names that its query may have.
    pub(crate) query: &'static [&'static str],
}

const OPENAI: [Endpoint; 4] = [
    endpoint(Kind::Chat, "chat.completions", "/chat/completions", &[]),
    endpoint(Kind::Responses, "responses", "/responses", &[]),
    endpoint(Kind::Embeddings, "embeddings", "/embeddings", &[]),
    endpoint(Kind::Models, "models", "/models", &[]),
];

const ANTHROPIC: [Endpoint; 3] = [
    endpoint(Kind::Messages, "messages", "/messages", &["beta"]),
    endpoint(Kind::CountTokens, "messages.count_tokens", "/messages/count_tokens", &["beta"]),
    endpoint(Kind::Models, "models", "/models", &["after_id", "before_id", "limit"]),
];

const fn endpoint(
    kind: Kind,
    action: &'static str,
    path: &'static str,
    query: &'static [&'static str],
) -> Endpoint {
    Endpoint { kind, action, path, query }
}

/// What a request names; `path` is what follows the tool's name, such as `/v1/messages`.
pub(crate) fn of(api: Api, method: &Method, path: &str) -> Option<Endpoint> {
    let all: &[Endpoint] = match api {
        Api::Openai => &OPENAI,
        Api::Anthropic => &ANTHROPIC,
    };
    let path = path.strip_prefix("/v1")?;
    let found = all.iter().find(|one| one.path == path)?;
    let fits = if found.kind == Kind::Models { Method::GET } else { Method::POST };
    (*method == fits).then_some(*found)
}

impl Endpoint {
    /// The path and query that are sent on, after the tool's own URL; `None` for a query that is not known.
    pub(crate) fn target(&self, api: Api, query: Option<&str>) -> Option<String> {
        // A client of OpenAI's has the version in its base URL, and one of Anthropic's has not.
        let version = if api == Api::Anthropic { "/v1" } else { "" };
        let mut target = format!("{version}{}", self.path);
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Some(target) };
        let mut seen: Vec<&str> = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let known = self.query.contains(&name) && !seen.contains(&name);
            if !known || value.len() > 128 || !value.bytes().all(plain) {
                return None;
            }
            target.push(if seen.is_empty() { '?' } else { '&' });
            target.push_str(pair);
            seen.push(name);
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(api: Api, method: &Method, path: &str) -> Option<&'static str> {
        of(api, method, path).map(|endpoint| endpoint.action)
    }

    #[test]
    fn what_is_not_named_does_not_exist() {
        let (post, get) = (&Method::POST, &Method::GET);
        assert_eq!(action(Api::Openai, post, "/v1/chat/completions"), Some("chat.completions"));
        assert_eq!(
            action(Api::Anthropic, post, "/v1/messages/count_tokens"),
            Some("messages.count_tokens")
        );
        assert_eq!(action(Api::Openai, get, "/v1/models"), Some("models"));
        for (api, method, path) in [
            (Api::Openai, get, "/v1/chat/completions"),
            (Api::Openai, post, "/v1/messages"),
            (Api::Anthropic, post, "/v1/chat/completions"),
            (Api::Openai, post, "/v1/models"),
            (Api::Openai, post, "/chat/completions"),
            (Api::Openai, post, "/v1//chat/completions"),
            (Api::Openai, post, "/v1/chat/completions/"),
            (Api::Openai, post, "/v1/chat%2fcompletions"),
            (Api::Openai, post, "/v1/files"),
            (Api::Openai, get, "/v1/responses/resp_1"),
            (Api::Anthropic, post, "/v1/messages/batches"),
            (Api::Openai, &Method::DELETE, "/v1/models"),
        ] {
            assert_eq!(action(api, method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_query_is_one_that_is_known_or_none() {
        let messages = of(Api::Anthropic, &Method::POST, "/v1/messages").unwrap();
        let models = of(Api::Anthropic, &Method::GET, "/v1/models").unwrap();
        let target = |of: Endpoint, query| of.target(Api::Anthropic, query);
        assert_eq!(target(messages, None).as_deref(), Some("/v1/messages"));
        assert_eq!(target(messages, Some("beta=true")).as_deref(), Some("/v1/messages?beta=true"));
        let page = "limit=2&after_id=m-1";
        assert_eq!(target(models, Some(page)).as_deref(), Some("/v1/models?limit=2&after_id=m-1"));
        for bad in ["beta", "beta=true&beta=false", "to=x", "beta=%2e", "beta=a b", "&", "Beta=1"] {
            assert_eq!(target(messages, Some(bad)), None, "{bad}");
        }
        let chat = of(Api::Openai, &Method::POST, "/v1/chat/completions").unwrap();
        assert_eq!(chat.target(Api::Openai, None).as_deref(), Some("/chat/completions"));
        assert_eq!(chat.target(Api::Openai, Some("beta=true")), None);
    }
}
