//! Who asks. It goes into one header of requests to one host, and nowhere else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_readiness::forge::Kind;
use reqwest::header::HeaderValue;
use serde_json::Value;

/// A secret, kept from whatever is printed.
#[derive(Clone)]
pub struct Token(String);

/// What cannot be sent as a token. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token has characters that no token has: spaces, line ends, or other than ASCII")]
pub struct InvalidToken;

/// Shorter ones are found in any text.
const SECRET_BYTES_MIN: usize = 8;

impl Token {
    /// A token as the forge gave it out.
    pub fn new(text: String) -> Result<Self, InvalidToken> {
        let is_one = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        if is_one { Ok(Self(text)) } else { Err(InvalidToken) }
    }

    /// The header that it is sent in.
    pub(super) fn header(&self, kind: Kind) -> HeaderValue {
        let text = if kind == Kind::AzureDevops && !self.is_signed() {
            // Tokens that people make there are passwords without a user.
            format!("Basic {}", STANDARD.encode(format!(":{}", self.0)))
        } else {
            format!("Bearer {}", self.0)
        };
        let mut value = HeaderValue::try_from(text).expect("a token is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// Whether it is a JSON Web Token.
    fn is_signed(&self) -> bool {
        self.0.starts_with("eyJ") && self.0.matches('.').count() == 2
    }

    /// Whether an answer repeats it, as it is or as it was sent.
    pub(super) fn is_in(&self, answer: &Value) -> bool {
        if self.0.len() < SECRET_BYTES_MIN {
            return false;
        }
        let [alone, sent] = [self.0.clone(), format!(":{}", self.0)].map(|text| {
            let encoded = STANDARD.encode(text);
            encoded.trim_end_matches('=').to_owned()
        });
        is_any_in(&[&self.0, &alone, &sent], answer)
    }
}

/// Whether a text or a name of an answer holds one of these.
fn is_any_in(secrets: &[&str], answer: &Value) -> bool {
    let holds = |text: &str| secrets.iter().any(|secret| text.contains(secret));
    match answer {
        Value::String(text) => holds(text),
        Value::Array(items) => items.iter().any(|item| is_any_in(secrets, item)),
        Value::Object(all) => {
            all.iter().any(|(name, value)| holds(name) || is_any_in(secrets, value))
        }
        Value::Number(number) => holds(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_as_the_forge_reads_it_and_never_shown() {
        let token = Token::new("example-token".into()).unwrap();
        assert_eq!(token.header(Kind::Github), "Bearer example-token");
        assert_eq!(token.header(Kind::AzureDevops), "Basic OmV4YW1wbGUtdG9rZW4=");
        let signed = Token::new("eyJhIjox.e30.c2ln".into()).unwrap();
        assert_eq!(signed.header(Kind::AzureDevops), "Bearer eyJhIjox.e30.c2ln");
        assert!(!format!("{token:?} {:?}", token.header(Kind::Github)).contains("example"));
        for text in ["", "a b", "a\n", "ä"] {
            assert_eq!(Token::new(text.into()).unwrap_err(), InvalidToken, "{text:?}");
        }
    }
}
