//! Tickets: what a client must show to give feedback on an answer.

use lockgate_model::ids::{Epoch, InteractionId, RolloutId};
use lockgate_model::ticket::Ticket;

use crate::sealed::{Reader, Sealer, Writer};

const FORMAT: u8 = 1;

/// Why a ticket was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not made with this gateway's key, or changed since.
    #[error("the ticket was not given out here")]
    Forged,
    /// Too old.
    #[error("the ticket has expired")]
    Expired,
}

/// Signs and checks tickets.
pub struct Tickets(Sealer);

impl Tickets {
    /// With the gateway's signing key.
    pub fn new(signing_key: &[u8; 32]) -> Self {
        Self(Sealer::new(signing_key, "lockgate ticket 1"))
    }

    /// The header's value.
    pub fn sign(&self, ticket: &Ticket) -> String {
        let mut payload = Writer::new(FORMAT)
            .bytes(ticket.interaction.0.as_bytes())
            .name(ticket.agent.as_str())
            .name(ticket.version.as_str())
            .bytes(&ticket.epoch.0.to_be_bytes())
            .bytes(&ticket.expires_wall_ms.to_be_bytes());
        payload = match ticket.rollout {
            Some(rollout) => payload.bytes(&[1]).bytes(rollout.0.as_bytes()),
            None => payload.bytes(&[0]),
        };
        payload = match ticket.user {
            Some(user) => payload.bytes(&[1]).bytes(&user.to_be_bytes()),
            None => payload.bytes(&[0]),
        };
        self.0.seal(payload.done())
    }

    /// The claims, if it was signed here and is not too old.
    pub fn verify(&self, text: &str, now_wall_ms: i64) -> Result<Ticket, TicketError> {
        let ticket = self.read(text).ok_or(TicketError::Forged)?;
        if now_wall_ms > ticket.expires_wall_ms {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    fn read(&self, text: &str) -> Option<Ticket> {
        let payload = self.0.open(text)?;
        let mut reader = Reader::new(&payload, FORMAT)?;
        let interaction = InteractionId(reader.uuid()?);
        let agent = reader.agent()?;
        let version = reader.version()?;
        let epoch = Epoch(reader.u64()?);
        let expires_wall_ms = reader.i64()?;
        let rollout = if reader.flag()? { Some(RolloutId(reader.uuid()?)) } else { None };
        let user = if reader.flag()? { Some(reader.u64()?) } else { None };
        reader.end()?;
        Some(Ticket { interaction, agent, version, rollout, epoch, user, expires_wall_ms })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            interaction: InteractionId(Uuid::from_u128(1)),
            agent: "support".parse().unwrap(),
            version: "v2".parse().unwrap(),
            rollout: Some(RolloutId(Uuid::from_u128(2))),
            epoch: Epoch(4),
            user: Some(9),
            expires_wall_ms: 1_000,
        }
    }

    #[test]
    fn what_was_signed_is_read_back_until_it_expires() {
        let tickets = Tickets::new(&[1; 32]);
        for ticket in [ticket(), Ticket { rollout: None, user: None, ..ticket() }] {
            let text = tickets.sign(&ticket);
            assert_eq!(tickets.verify(&text, 1_000), Ok(ticket));
            assert_eq!(tickets.verify(&text, 1_001), Err(TicketError::Expired));
        }
    }

    #[test]
    fn forged_tickets_are_refused() {
        let tickets = Tickets::new(&[1; 32]);
        let text = tickets.sign(&ticket());
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(tickets.verify(&forged, 0), Err(TicketError::Forged), "{at}");
        }
        let other = Tickets::new(&[2; 32]).sign(&ticket());
        assert_eq!(tickets.verify(&other, 0), Err(TicketError::Forged));
    }

    #[test]
    fn a_pin_is_no_ticket() {
        let pin = crate::pin::Pin {
            agent: "support".parse().unwrap(),
            home: crate::affinity::Home { version: "v1".parse().unwrap(), rollout: None },
            epoch: Epoch(3),
            conversation: Uuid::from_u128(7),
            issued_wall_ms: 1_000,
        };
        let text = crate::pin::Pins::new(&[1; 32]).sign(&pin);
        assert_eq!(Tickets::new(&[1; 32]).verify(&text, 0), Err(TicketError::Forged));
    }
}
