//! Model APIs as far as a gateway must understand calls of them: which endpoints there are, what a request asks for, and
//! which events of an answer its client did not ask for. No policy in here. What answers say about tokens is read by
//! [`super::Scanner`].

pub(crate) mod asked;
pub(crate) mod endpoint;
pub(crate) mod events;
pub(crate) mod most;

/// Whose API it is, or is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Openai,
    Anthropic,
}
