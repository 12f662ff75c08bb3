//! Model Context Protocol over streamable HTTP, as far as a gateway must understand it: one message, its family, what
//! its method is, lists of tools, and streams of events. No policy in here.
//!
//! Two families are spoken. Up to 2025-11-25 a client initialises a session; from 2026-07-28 each request stands alone
//! and says in headers what it is.

pub(crate) mod events;
pub(crate) mod family;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod method;

/// Codes of errors, by the specification; none is invented here.
pub(crate) mod code {
    pub(crate) const PARSE_ERROR: i64 = -32_700;
    pub(crate) const INVALID_REQUEST: i64 = -32_600;
    pub(crate) const METHOD_NOT_FOUND: i64 = -32_601;
    pub(crate) const INVALID_PARAMS: i64 = -32_602;
    pub(crate) const INTERNAL_ERROR: i64 = -32_603;
    pub(crate) const HEADER_MISMATCH: i64 = -32_020;
    pub(crate) const UNSUPPORTED_VERSION: i64 = -32_022;
}
