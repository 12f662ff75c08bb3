//! At which tier a provider says that it answered. Three of its words have prices: the tier, the speed and the place.

use lockgate_model::interaction::ServiceTier;

use super::pick::Found;

/// What one answer said so far. What is said later stands: the first event of a stream may only repeat what was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tiers {
    tier: Option<ServiceTier>,
    speed: Option<ServiceTier>,
    place: Option<ServiceTier>,
}

impl Tiers {
    /// `auto` is a wish and says nothing of the answer.
    pub(super) fn tier(&mut self, found: Found<'_>) {
        self.tier = match found {
            Found::Text(b"auto" | b"") => None,
            Found::Text(b"default" | b"standard") => Some(ServiceTier::Standard),
            Found::Text(b"flex") => Some(ServiceTier::Flex),
            Found::Text(b"priority") => Some(ServiceTier::Priority),
            Found::Text(b"fast") => Some(ServiceTier::Fast),
            Found::Text(b"batch") => Some(ServiceTier::Batch),
            _ => Some(ServiceTier::Other),
        };
    }

    pub(super) fn speed(&mut self, found: Found<'_>) {
        self.speed = match found {
            Found::Text(b"standard" | b"") => Some(ServiceTier::Standard),
            Found::Text(b"fast") => Some(ServiceTier::Fast),
            _ => Some(ServiceTier::Other),
        };
    }

    /// Answers that stay in one country are dearer, and no table says how much.
    pub(super) fn place(&mut self, found: Found<'_>) {
        self.place = match found {
            Found::Text(b"global" | b"not_available" | b"") => None,
            _ => Some(ServiceTier::Other),
        };
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.tier = later.tier.or(self.tier);
        self.speed = later.speed.or(self.speed);
        self.place = later.place.or(self.place);
    }

    /// The tier, when it is one; several together have prices that are not known.
    pub(super) fn told(self) -> Option<ServiceTier> {
        let said = [self.tier, self.speed, self.place];
        let mut special = said.into_iter().flatten().filter(|tier| tier.is_special());
        match (special.next(), special.next()) {
            (None, _) => said.into_iter().flatten().next(),
            (Some(one), None) => Some(one),
            (Some(_), Some(_)) => Some(ServiceTier::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tier: &[u8], speed: &[u8], place: &[u8]) -> Option<ServiceTier> {
        let mut tiers = Tiers::default();
        tiers.tier(Found::Text(tier));
        tiers.speed(Found::Text(speed));
        tiers.place(Found::Text(place));
        tiers.told()
    }

    #[test]
    fn one_tier_is_told_and_several_are_another() {
        use ServiceTier::{Batch, Fast, Other, Priority, Standard};
        assert_eq!(Tiers::default().told(), None);
        for (said, expected) in [
            (["standard", "standard", "global"], Some(Standard)),
            (["default", "", "not_available"], Some(Standard)),
            (["priority", "standard", "global"], Some(Priority)),
            (["standard", "fast", "global"], Some(Fast)),
            (["batch", "standard", "not_available"], Some(Batch)),
            (["scale", "standard", "global"], Some(Other)),
            (["standard", "standard", "us"], Some(Other)),
            (["batch", "standard", "us"], Some(Other)),
            (["priority", "fast", "global"], Some(Other)),
        ] {
            let [tier, speed, place] = said.map(str::as_bytes);
            assert_eq!(told(tier, speed, place), expected, "{said:?}");
        }
    }

    #[test]
    fn what_is_said_last_stands_and_a_wish_says_nothing() {
        let of = |found: Found<'_>| {
            let mut tiers = Tiers::default();
            tiers.tier(found);
            tiers
        };
        let mut tiers = of(Found::Text(b"priority"));
        tiers.merge(Tiers::default());
        assert_eq!(tiers.told(), Some(ServiceTier::Priority));
        tiers.merge(of(Found::Text(b"default")));
        assert_eq!(tiers.told(), Some(ServiceTier::Standard));
        assert_eq!(of(Found::Text(b"auto")).told(), None);
        for odd in [Found::LongText, Found::Scalar(b"1"), Found::Container] {
            assert_eq!(of(odd).told(), Some(ServiceTier::Other));
        }
    }
}
