//! Texts that only a holder of the signing key can make: HMAC-SHA256 over a short binary payload,
//! under a key of their own per purpose, so that a pin can never stand as a ticket.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockgate_model::ids::{AgentName, ToolName, VersionName};
use lockgate_model::ports::Users;
use sha2::Sha256;
use uuid::Uuid;

const TAG_LEN: usize = 32;

/// The longest sealed text that is looked at.
pub(crate) const TEXT_LEN_MAX: usize = 512;

fn derive(signing_key: &[u8; 32], purpose: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(signing_key).expect("HMAC takes any key length");
    mac.update(purpose.as_bytes());
    Hmac::new_from_slice(&mac.finalize().into_bytes()).expect("HMAC takes any key length")
}

/// Seals and opens texts of one purpose.
#[derive(Clone)]
pub(crate) struct Sealer(Hmac<Sha256>);

impl Sealer {
    /// For one purpose; two purposes never share a key.
    pub(crate) fn new(signing_key: &[u8; 32], purpose: &str) -> Self {
        Self(derive(signing_key, purpose))
    }

    /// Base64url of the payload and its tag.
    pub(crate) fn seal(&self, mut payload: Vec<u8>) -> String {
        let mut mac = self.0.clone();
        mac.update(&payload);
        payload.extend_from_slice(&mac.finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(payload)
    }

    /// The payload, if the tag is right; compared in constant time.
    pub(crate) fn open(&self, text: &str) -> Option<Vec<u8>> {
        self.open_within(text, TEXT_LEN_MAX)
    }

    /// The same of texts that may be longer.
    pub(crate) fn open_within(&self, text: &str, text_len_max: usize) -> Option<Vec<u8>> {
        if text.len() > text_len_max {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let payload_len = bytes.len().checked_sub(TAG_LEN)?;
        let mut mac = self.0.clone();
        mac.update(&bytes[..payload_len]);
        mac.verify_slice(&bytes[payload_len..]).ok()?;
        bytes.truncate(payload_len);
        Some(bytes)
    }
}

/// Hashes of personal keys that nobody without the signing key can reproduce.
#[derive(Clone)]
pub(crate) struct Salt(Hmac<Sha256>);

impl Salt {
    /// For one purpose.
    pub(crate) fn new(signing_key: &[u8; 32], purpose: &str) -> Self {
        Self(derive(signing_key, purpose))
    }

    /// HMAC-SHA256 over a text, in hex.
    pub(crate) fn tag(&self, text: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(text);
        hex::encode(mac.finalize().into_bytes())
    }

    /// 64 bits of HMAC-SHA256 over agent and text.
    pub(crate) fn hash(&self, agent: &AgentName, text: &[u8]) -> u64 {
        let mut mac = self.0.clone();
        mac.update(agent.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(text);
        let tag = mac.finalize().into_bytes();
        u64::from_be_bytes(tag[..8].try_into().expect("a tag has 32 bytes"))
    }
}

/// What the hashes of users' keys are for.
pub(crate) const USERS: &str = "lockgate sticky key 1";

/// Who users are: what they are recorded as.
#[derive(Clone)]
pub struct UserIds(Salt);

impl UserIds {
    /// As gateways with this key see them.
    pub fn new(signing_key: &[u8; 32]) -> Self {
        Self(Salt::new(signing_key, USERS))
    }
}

impl Users for UserIds {
    fn user(&self, agent: &AgentName, key: &str) -> u64 {
        self.0.hash(agent, key.as_bytes())
    }
}

/// Writes payload fields one after the other.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// An empty payload of a format version.
    pub(crate) fn new(format: u8) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(format);
        Self(bytes)
    }

    /// A name of at most 63 bytes.
    pub(crate) fn name(mut self, text: &str) -> Self {
        self.0.push(u8::try_from(text.len()).expect("names have at most 63 bytes"));
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Raw bytes of a known length.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The payload.
    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads them back.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Over a payload of the format version given.
    pub(crate) fn new(payload: &'a [u8], format: u8) -> Option<Self> {
        let (first, rest) = payload.split_first()?;
        (*first == format).then_some(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn name(&mut self) -> Option<&'a str> {
        let [len] = self.take::<1>()?;
        let (head, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    /// An agent's name.
    pub(crate) fn agent(&mut self) -> Option<AgentName> {
        self.name()?.parse().ok()
    }

    /// A version's name.
    pub(crate) fn version(&mut self) -> Option<VersionName> {
        self.name()?.parse().ok()
    }

    /// A tool's name.
    pub(crate) fn tool(&mut self) -> Option<ToolName> {
        self.name()?.parse().ok()
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// A number.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// A signed number.
    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// A flag byte.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            [_] => None,
        }
    }

    /// An id.
    pub(crate) fn uuid(&mut self) -> Option<Uuid> {
        self.take().map(Uuid::from_bytes)
    }

    /// `Some` when nothing is left.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
