//! Operations of an HTTP tool: a name for policies, a method, and the paths that it is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Segments of a path.
pub const SEGMENTS_MAX: usize = 32;
/// Bytes of the name of an operation or argument, as policies take them.
const NAME_BYTES_MAX: usize = 128;

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Has something done.
    Post,
    /// Puts in place.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether its requests have a body.
    pub fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl FromStr for Method {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|one| one.as_str() == text).ok_or(())
    }
}

/// A part of a path between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// This text.
    Literal(String),
    /// Any one text, as the argument of this name.
    Argument(String),
}

/// Why a method and a path are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCall {
    /// No method.
    #[error("does not begin with GET, POST, PUT, PATCH or DELETE and a space")]
    Method,
    /// No path.
    #[error("has a path that does not begin with `/`, or has an empty part in it")]
    Path,
    /// A literal part that is not plain.
    #[error("has a part that is neither `{{name}}` nor plain text without `%`, `;` and dots alone")]
    Segment,
    /// Two arguments of one name.
    #[error("names an argument twice")]
    Twice,
    /// More parts than anyone needs.
    #[error("has more than {SEGMENTS_MAX} parts")]
    Long,
}

/// A method and a template of paths, such as `GET /orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path after the tool's own URL; empty for the URL itself.
    pub path: Vec<Segment>,
}

impl FromStr for Call {
    type Err = InvalidCall;
    fn from_str(text: &str) -> Result<Self, InvalidCall> {
        let (method, path) = text.split_once(' ').ok_or(InvalidCall::Method)?;
        let method = method.parse().map_err(|()| InvalidCall::Method)?;
        let path = path.strip_prefix('/').ok_or(InvalidCall::Path)?;
        let mut call = Self { method, path: Vec::new() };
        if path.is_empty() {
            return Ok(call);
        }
        for part in path.split('/') {
            if part.is_empty() {
                return Err(InvalidCall::Path);
            }
            let segment = segment(part)?;
            if matches!(segment, Segment::Argument(_)) && call.path.contains(&segment) {
                return Err(InvalidCall::Twice);
            }
            call.path.push(segment);
        }
        if call.path.len() > SEGMENTS_MAX { Err(InvalidCall::Long) } else { Ok(call) }
    }
}

fn segment(part: &str) -> Result<Segment, InvalidCall> {
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let name = Some(name).filter(|name| is_name(name)).ok_or(InvalidCall::Segment)?;
        return Ok(Segment::Argument(name.to_owned()));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
    if part == "." || part == ".." || !part.bytes().all(plain) {
        return Err(InvalidCall::Segment);
    }
    Ok(Segment::Literal(part.to_owned()))
}

/// Whether policies can name an action or argument so.
pub fn is_name(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = |byte: u8| first(byte) || byte == b'-' || byte == b'.';
    text.len() <= NAME_BYTES_MAX && text.bytes().next().is_some_and(first) && text.bytes().all(rest)
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.as_str())?;
        if self.path.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.path {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Argument(name) => write!(f, "/{{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl Call {
    /// The names of its arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.path.iter().filter_map(|segment| match segment {
            Segment::Argument(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// How many of its parts are given.
    pub fn literals(&self) -> usize {
        self.path.len() - self.arguments().count()
    }

    /// Whether a path could be meant by both, and neither is about fewer paths than the other.
    pub fn is_mistaken_for(&self, other: &Self) -> bool {
        if self.method != other.method || self.path.len() != other.path.len() {
            return false;
        }
        let (mut narrower, mut wider) = (false, false);
        for pair in self.path.iter().zip(&other.path) {
            match pair {
                (Segment::Literal(one), Segment::Literal(two)) if one != two => return false,
                (Segment::Literal(_), Segment::Argument(_)) => narrower = true,
                (Segment::Argument(_), Segment::Literal(_)) => wider = true,
                _ => {}
            }
        }
        narrower == wider
    }
}

/// Something that agents may ask of an HTTP tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The action's name in policies.
    pub name: String,
    /// Which requests it is about.
    pub call: Call,
    /// Names that its query may have.
    pub query: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Call {
        text.parse().unwrap()
    }

    #[test]
    fn a_call_is_a_method_and_a_template() {
        for text in ["GET /", "GET /orders", "DELETE /orders/{id}", "POST /v1/a:b/{x}/{y.z}"] {
            assert_eq!(call(text).to_string(), text);
        }
        assert_eq!(call("GET /a/{b}/{c}").arguments().collect::<Vec<_>>(), ["b", "c"]);
        for (bad, why) in [
            ("get /a", InvalidCall::Method),
            ("HEAD /a", InvalidCall::Method),
            ("GET", InvalidCall::Method),
            ("GET a", InvalidCall::Path),
            ("GET //a", InvalidCall::Path),
            ("GET /a/", InvalidCall::Path),
            ("GET /a/../b", InvalidCall::Segment),
            ("GET /./b", InvalidCall::Segment),
            ("GET /a%2fb", InvalidCall::Segment),
            ("GET /a;b", InvalidCall::Segment),
            ("GET /a?b", InvalidCall::Segment),
            ("GET /{}", InvalidCall::Segment),
            ("GET /{a b}", InvalidCall::Segment),
            ("GET /x{a}", InvalidCall::Segment),
            ("GET /{a}/{a}", InvalidCall::Twice),
        ] {
            assert_eq!(bad.parse::<Call>(), Err(why), "{bad}");
        }
        let long = format!("GET {}", "/a".repeat(SEGMENTS_MAX + 1));
        assert_eq!(long.parse::<Call>(), Err(InvalidCall::Long));
    }

    #[test]
    fn two_calls_are_told_apart_by_what_is_given_in_them() {
        for (one, two, mistaken) in [
            ("GET /a/{x}", "GET /a/{y}", true),
            ("GET /a", "GET /a", true),
            ("GET /a/{x}/c", "GET /a/b/{y}", true),
            ("GET /a/{x}", "GET /a/b", false),
            ("GET /a/{x}", "POST /a/{x}", false),
            ("GET /a/{x}", "GET /a/{x}/b", false),
            ("GET /a/{x}", "GET /b/{x}", false),
            ("GET /{x}/{y}", "GET /a/b", false),
        ] {
            assert_eq!(call(one).is_mistaken_for(&call(two)), mistaken, "{one} {two}");
            assert_eq!(call(two).is_mistaken_for(&call(one)), mistaken, "{two} {one}");
        }
    }
}
