//! What can go wrong, each with a chance of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::draw::Dice;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Control dies before or after something is written.
    Crash,
    /// The store does not answer, or answers that it failed when it did not.
    StoreOutage,
    /// A split cannot be published.
    DriverFailure,
    /// A split is said to be published, and a gateway goes on with another one.
    DriverLies,
    /// Control's wall clock leaps, forth and back.
    ClockJumps,
    /// Windows come much later.
    LateWindows,
    /// Windows never come.
    LostWindows,
    /// Windows come twice.
    DuplicatedWindows,
    /// A second controller, and pauses between reading and writing that outlast the lease.
    TwoControllers,
    /// Both versions fail for some time: what they stand on does.
    SickBaseline,
    /// Security events on the candidate.
    SecurityEvents,
    /// Gateways that cut the candidate off by a hard limit.
    Fuses,
    /// People who pause, resume, promote, abort and release a newer version at random.
    Operators,
    /// Gateways that restart, or are cut off from the store.
    GatewayOutage,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Crash,
        Self::StoreOutage,
        Self::DriverFailure,
        Self::DriverLies,
        Self::ClockJumps,
        Self::LateWindows,
        Self::LostWindows,
        Self::DuplicatedWindows,
        Self::TwoControllers,
        Self::SickBaseline,
        Self::SecurityEvents,
        Self::Fuses,
        Self::Operators,
        Self::GatewayOutage,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::StoreOutage => "store-outage",
            Self::DriverFailure => "driver-failure",
            Self::DriverLies => "driver-lies",
            Self::ClockJumps => "clock-jumps",
            Self::LateWindows => "late-windows",
            Self::LostWindows => "lost-windows",
            Self::DuplicatedWindows => "duplicated-windows",
            Self::TwoControllers => "two-controllers",
            Self::SickBaseline => "sick-baseline",
            Self::SecurityEvents => "security-events",
            Self::Fuses => "fuses",
            Self::Operators => "operators",
            Self::GatewayOutage => "gateway-outage",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no fault's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{given}`; there are all, {}", Fault::ALL.map(Fault::as_str).join(", "))]
pub struct UnknownFault {
    /// What was given.
    pub given: String,
}

impl FromStr for Fault {
    type Err = UnknownFault;
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let named = Self::ALL.into_iter().find(|fault| fault.as_str() == text);
        named.ok_or_else(|| UnknownFault { given: text.to_owned() })
    }
}

/// Faults that are switched on, each with the most times that it strikes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub BTreeMap<Fault, u32>);

impl Faults {
    /// Every one, without limit.
    pub fn all() -> Self {
        Self(Fault::ALL.into_iter().map(|fault| (fault, u32::MAX)).collect())
    }
}

impl FromStr for Faults {
    type Err = UnknownFault;
    /// `all`, a name, or a name with the most times that it strikes: `crash=2`.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        if text == "all" {
            return Ok(Self::all());
        }
        let (name, times) = text.split_once('=').unwrap_or((text, ""));
        let times = match times {
            "" => Ok(u32::MAX),
            times => times.parse().map_err(|_| UnknownFault { given: text.to_owned() }),
        };
        Ok(Self([(name.parse()?, times?)].into()))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.0.iter().map(|(fault, times)| match *times {
            u32::MAX => fault.to_string(),
            times => format!("{fault}={times}"),
        });
        f.write_str(&names.next().unwrap_or_default())?;
        names.try_for_each(|name| write!(f, " {name}"))
    }
}

/// Whether and when faults strike. Each has dice of its own: without one, the others strike as they
/// did, which is what makes a failing seed smaller.
#[derive(Debug, Clone)]
pub(super) struct Chances {
    left: BTreeMap<Fault, (u32, Dice)>,
    /// How often each struck.
    pub(super) struck: BTreeMap<Fault, u32>,
    /// Whether all of it is over.
    pub(super) quiet: bool,
}

impl Chances {
    pub(super) fn new(faults: &Faults, seed: u64) -> Self {
        let dice = |fault: Fault| Dice::new(seed ^ (fault as u64 + 1).rotate_left(40));
        let left = faults.0.iter().map(|(fault, most)| (*fault, (*most, dice(*fault)))).collect();
        Self { left, struck: BTreeMap::new(), quiet: false }
    }

    /// Whether it is switched on.
    pub(super) fn on(&self, fault: Fault) -> bool {
        self.left.contains_key(&fault)
    }

    /// Whether it strikes now, with this chance.
    pub(super) fn strike(&mut self, fault: Fault, chance: f64) -> bool {
        let Some((left, dice)) = self.left.get_mut(&fault) else { return false };
        let strikes = dice.chance(chance) && *left > 0 && !self.quiet;
        if strikes {
            *left -= 1;
            *self.struck.entry(fault).or_default() += 1;
        }
        strikes
    }

    /// A number below `end` from its dice.
    pub(super) fn below(&mut self, fault: Fault, end: u64) -> u64 {
        self.left.get_mut(&fault).map_or(0, |(_, dice)| dice.below(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for fault in Fault::ALL {
            assert_eq!(fault.as_str().parse(), Ok(fault));
        }
        let limited: Faults = "crash=2".parse().unwrap();
        assert_eq!(limited.to_string(), "crash=2");
        assert_eq!("all".parse::<Faults>().unwrap().0.len(), Fault::ALL.len());
        assert!("crash=x".parse::<Faults>().is_err());
        let unknown = "flood".parse::<Faults>().unwrap_err().to_string();
        assert!(unknown.contains("two-controllers"), "{unknown}");
    }

    #[test]
    fn one_fault_less_leaves_the_others_where_they_were() {
        let crash: Faults = "crash".parse().unwrap();
        let [mut alone, mut among] = [crash, Faults::all()].map(|f| Chances::new(&f, 5));
        for _ in 0..100 {
            among.strike(Fault::StoreOutage, 0.5);
            assert_eq!(alone.strike(Fault::Crash, 0.3), among.strike(Fault::Crash, 0.3));
        }
    }
}
