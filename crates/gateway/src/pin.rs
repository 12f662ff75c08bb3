//! The pin of a conversation: the `lockgate-conversation` header, given to the client with the
//! answer and sent back by it.

use lockgate_model::ids::{AgentName, Epoch, RolloutId};
use uuid::Uuid;

use crate::affinity::Home;
use crate::sealed::{Reader, Sealer, Writer};

const FORMAT: u8 = 2;

/// A pin older than this no longer binds, milliseconds (90 days).
const AGE_MAX_MS: i64 = 90 * 24 * 3_600 * 1_000;

/// What a pin says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The agent it is for; a pin of another agent binds nothing.
    pub(crate) agent: AgentName,
    /// Where the conversation runs.
    pub(crate) home: Home,
    /// The weight epoch in which it was assigned.
    pub(crate) epoch: Epoch,
    /// The conversation.
    pub(crate) conversation: Uuid,
    /// Milliseconds since the Unix epoch.
    pub(crate) issued_wall_ms: i64,
}

/// Signs and checks pins.
pub(crate) struct Pins(Sealer);

impl Pins {
    /// With the gateway's signing key.
    pub(crate) fn new(signing_key: &[u8; 32]) -> Self {
        Self(Sealer::new(signing_key, "lockgate conversation pin 1"))
    }

    /// The header's value.
    pub(crate) fn sign(&self, pin: &Pin) -> String {
        let mut payload =
            Writer::new(FORMAT).name(pin.agent.as_str()).name(pin.home.version.as_str());
        payload = match pin.home.rollout {
            Some(rollout) => payload.bytes(&[1]).bytes(rollout.0.as_bytes()),
            None => payload.bytes(&[0]),
        };
        let payload = payload
            .bytes(&pin.epoch.0.to_be_bytes())
            .bytes(pin.conversation.as_bytes())
            .bytes(&pin.issued_wall_ms.to_be_bytes())
            .done();
        self.0.seal(payload)
    }

    /// The pin, if it was signed here and is not too old.
    pub(crate) fn verify(&self, text: &str, now_wall_ms: i64) -> Option<Pin> {
        let payload = self.0.open(text)?;
        let mut reader = Reader::new(&payload, FORMAT)?;
        let pin = Pin {
            agent: reader.agent()?,
            home: Home {
                version: reader.version()?,
                rollout: if reader.flag()? { Some(RolloutId(reader.uuid()?)) } else { None },
            },
            epoch: Epoch(reader.u64()?),
            conversation: reader.uuid()?,
            issued_wall_ms: reader.i64()?,
        };
        reader.end()?;
        (now_wall_ms.saturating_sub(pin.issued_wall_ms) <= AGE_MAX_MS).then_some(pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::TEXT_LEN_MAX;

    fn pin() -> Pin {
        Pin {
            agent: "support".parse().unwrap(),
            home: Home {
                version: "v1".parse().unwrap(),
                rollout: Some(RolloutId(Uuid::from_u128(5))),
            },
            epoch: Epoch(3),
            conversation: Uuid::from_u128(7),
            issued_wall_ms: 1_000,
        }
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let pins = Pins::new(&[1; 32]);
        assert_eq!(pins.verify(&pins.sign(&pin()), 2_000), Some(pin()));
    }

    #[test]
    fn every_changed_character_is_refused() {
        let pins = Pins::new(&[1; 32]);
        let text = pins.sign(&pin());
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(pins.verify(&forged, 2_000), None, "{at}");
        }
        assert_eq!(pins.verify("", 2_000), None);
        assert_eq!(pins.verify(&"A".repeat(TEXT_LEN_MAX + 1), 2_000), None);
    }

    #[test]
    fn another_key_and_great_age_are_refused() {
        let text = Pins::new(&[2; 32]).sign(&pin());
        assert_eq!(Pins::new(&[1; 32]).verify(&text, 2_000), None);
        assert_eq!(Pins::new(&[2; 32]).verify(&text, 2_000 + AGE_MAX_MS), None);
    }
}
