//! Session ids of servers, made good for one version of one agent and one tool: whoever learns another's id has nothing.

use lockgate_model::identity::Identity;
use lockgate_model::ids::ToolName;

use crate::sealed::{Reader, Sealer, Writer};

const FORMAT: u8 = 1;
/// The longest id of a server's that fits.
const ID_BYTES_MAX: usize = 128;

/// Seals and opens ids.
pub(crate) struct Sessions(Sealer);

impl Sessions {
    /// Under a key of its own.
    pub(crate) fn new(signing_key: &[u8; 32]) -> Self {
        Self(Sealer::new(signing_key, "lockgate mcp session 1"))
    }

    /// What the agent gets for a server's id; `None` for one that is too long or empty.
    pub(crate) fn seal(&self, whose: &Identity, tool: &ToolName, id: &str) -> Option<String> {
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return None;
        }
        let payload = Writer::new(FORMAT)
            .name(whose.agent.as_str())
            .name(whose.version.as_str())
            .name(tool.as_str())
            .bytes(id.as_bytes());
        Some(self.0.seal(payload.done()))
    }

    /// The server's id; `None` when it is not this caller's.
    pub(crate) fn open(&self, whose: &Identity, tool: &ToolName, text: &str) -> Option<String> {
        let payload = self.0.open(text)?;
        let mut reader = Reader::new(&payload, FORMAT)?;
        let same = reader.agent()? == whose.agent
            && reader.version()? == whose.version
            && reader.tool()? == *tool;
        if !same {
            return None;
        }
        String::from_utf8(reader.rest().to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::identity::somebody;

    fn identity(version: &str) -> Identity {
        somebody("support", version)
    }

    #[test]
    fn an_id_is_good_for_its_own_caller_and_tool() {
        let sessions = Sessions::new(&[1; 32]);
        let (files, mail) = ("files".parse().unwrap(), "mail".parse().unwrap());
        let sealed = sessions.seal(&identity("v1"), &files, "abc").unwrap();
        assert_eq!(sessions.open(&identity("v1"), &files, &sealed).as_deref(), Some("abc"));
        assert_eq!(sessions.open(&identity("v2"), &files, &sealed), None);
        assert_eq!(sessions.open(&identity("v1"), &mail, &sealed), None);
        assert_eq!(Sessions::new(&[2; 32]).open(&identity("v1"), &files, &sealed), None);
        assert_eq!(sessions.open(&identity("v1"), &files, "abc"), None);
        assert_eq!(sessions.seal(&identity("v1"), &files, &"x".repeat(129)), None);
    }
}
