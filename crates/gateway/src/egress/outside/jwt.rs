//! A JWT of somebody else's, taken apart and not believed yet (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::egress::identity::Refused;
use crate::protocol::json::{self, Keys};

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8_192;
/// The longest name of a key.
const KID_BYTES_MAX: usize = 256;
/// What must be understood where it is there, and is not: extensions, payloads of other forms, tokens within tokens.
/// `jku`, `jwk`, `x5u` and `x5c` are not among them: they are not looked at.
const NOT_UNDERSTOOD: [&str; 5] = ["crit", "b64", "zip", "enc", "cty"];

/// Three parts, each of which can be read in one way only.
pub(super) struct Jwt<'a> {
    /// What the signature is about.
    pub(super) signed: &'a str,
    header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// `None` for what is no JWT with a signature.
    pub(super) fn read(token: &'a str) -> Option<Self> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &str| match json::value(&bytes(part)?, Keys::Exact).ok()? {
            Value::Object(fields) => Some(fields),
            _ => None,
        };
        let (header, claims) = (object(header)?, object(claims)?);
        Some(Self { signed, header, claims, signature: bytes(signature)? })
    }

    pub(super) fn alg(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// The name of the key, if the header holds nothing that would have to be understood.
    pub(super) fn header(&self, is_svid: bool) -> Result<&str, Refused> {
        if NOT_UNDERSTOOD.iter().any(|name| self.header.contains_key(*name)) {
            return Err(Refused::Malformed);
        }
        let typ = match self.header.get("typ") {
            None => None,
            Some(Value::String(typ)) => Some(typ.to_ascii_lowercase()),
            Some(_) => return Err(Refused::Malformed),
        };
        let is_one = match typ.as_deref() {
            None | Some("jwt") => true,
            Some("jose") => is_svid,
            // RFC 9068
            Some("at+jwt") => !is_svid,
            Some(_) => false,
        };
        if !is_one {
            return Err(Refused::Malformed);
        }
        let kid = self.header.get("kid").and_then(Value::as_str).unwrap_or_default();
        if kid.is_empty() || kid.len() > KID_BYTES_MAX {
            return Err(Refused::UnknownKey);
        }
        Ok(kid)
    }
}
