//! Parsers of outside bytes by themselves, for whoever tries what happens: fuzz targets.

use http::Method;
use lockgate_model::operation::Operation;

use crate::egress::outside;
use crate::protocol::mcp::events::Cutter;
use crate::protocol::mcp::message::Message;
use crate::protocol::models::Api;
use crate::protocol::models::asked::Asked;
use crate::protocol::models::endpoint::Kind;
use crate::protocol::models::most::most;
use crate::protocol::operation::Request;

/// The largest event of [`events`].
const EVENT_BYTES_MAX: usize = 1_024;

/// Whether a text can be read as the token of an issuer outside.
pub fn is_token(text: &str) -> bool {
    outside::is_token(text)
}

/// How many keys of an issuer outside can be read, and whether one of them takes a signature for its own.
pub fn keys(bytes: &[u8], signed: &[u8], signature: &[u8]) -> Option<(usize, bool)> {
    outside::keys_of(bytes, signed, signature)
}

/// Whether bytes are a message of MCP, of an agent or of a server.
pub fn is_message(bytes: &[u8]) -> bool {
    Message::read(bytes).is_ok() | Message::read_answer(bytes).is_ok()
}

/// What the events of a stream carry that comes in these parts, and whether it could be read to its end.
pub fn events(parts: &[&[u8]]) -> (Vec<String>, bool) {
    let mut cutter = Cutter::new(EVENT_BYTES_MAX);
    let mut carried = Vec::new();
    for part in parts {
        cutter.feed(part);
        loop {
            match cutter.next() {
                Ok(Some(event)) => carried.extend(event.data),
                Ok(None) => break,
                Err(_) => return (carried, false),
            }
        }
    }
    (carried, true)
}

/// A body as it is sent on to a model, for each endpoint at which it is one.
pub fn model_calls(body: &str) -> Vec<String> {
    let endpoints = [
        (Api::Openai, Kind::Chat),
        (Api::Openai, Kind::Responses),
        (Api::Openai, Kind::Embeddings),
        (Api::Anthropic, Kind::Messages),
        (Api::Anthropic, Kind::CountTokens),
    ];
    let read = |(api, kind)| {
        let asked = Asked::read(api, kind, body).ok()?;
        // What it can use at most is known of what is sent, or of nothing.
        let _ = most(kind, body, &asked.arguments);
        Some(asked.counting.unwrap_or_else(|| body.to_owned()))
    };
    endpoints.into_iter().filter_map(read).collect()
}

/// Path, query and arguments of a request to an HTTP tool with a few operations, as they are sent on and decided about.
pub fn operation(target: &str, body: &[u8]) -> Option<(String, String)> {
    let declared = [
        ("list", "GET /orders", &["limit", "q"][..]),
        ("look_up", "GET /orders/{id}", &[]),
        ("mine", "GET /orders/mine", &[]),
        ("refund", "POST /orders/{id}/refunds", &["dry"]),
    ];
    let operations: Option<Vec<Operation>> = declared
        .into_iter()
        .map(|(name, call, query)| {
            let query = query.iter().map(|name| (*name).to_owned()).collect();
            Some(Operation { name: name.into(), call: call.parse().ok()?, query })
        })
        .collect();
    let operations = operations?;
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let method = if body.is_empty() { Method::GET } else { Method::POST };
    let request = Request::find(&operations, &method, path, query).ok()?;
    let (target, arguments) = request.with_body(body).ok()?;
    Some((target, arguments.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that reads nothing finds nothing.
    #[test]
    fn what_is_good_is_read() {
        let part = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
        };
        let token = format!("{}.{}.c2ln", part(r#"{"alg":"RS256","kid":"a"}"#), part("{}"));
        assert!(is_token(&token) && !is_token("a.b.c"));
        let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        assert_eq!(keys(set.as_bytes(), b"", &[0; 64]), Some((1, false)));
        assert!(is_message(br#"{"jsonrpc":"2.0","method":"a"}"#));
        assert_eq!(
            events(&[b"data: a\n", b"\ndata: b\r\n\r\n"]),
            (vec!["a".into(), "b".into()], true)
        );
        assert_eq!(model_calls(r#"{"model":"m","messages":[],"input":"x"}"#).len(), 5);
        let look_up = operation("/orders/7", b"").unwrap();
        assert_eq!(look_up, ("/orders/7".to_owned(), r#"{"id":"7"}"#.to_owned()));
    }
}
