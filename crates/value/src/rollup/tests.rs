use std::sync::Arc;

use lockgate_model::ids::{Epoch, InteractionId};
use lockgate_model::interaction::ServiceTier;
use lockgate_model::price::PriceTable;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn interaction() -> Interaction {
    Interaction {
        id: InteractionId(Uuid::from_u128(1)),
        agent: "support".parse().unwrap(),
        version: Some("v1".parse().unwrap()),
        rollout: None,
        epoch: Epoch(0),
        user: Some(7),
        conversation: None,
        started_wall_ms: 1_772_357_400_000,
        status: Some(200),
        error: None,
        outcome: Some(Outcome::Resolved),
        first_byte_us: None,
        total_us: None,
        usage: Usage {
            input_tokens: Some(100),
            cached_input_tokens: Some(10),
            cache_write_tokens: None,
            output_tokens: Some(5),
            ..Usage::default()
        },
        model: None,
        cost_nanousd: Some(3_000_000),
        price_table: None,
        unpriced: None,
    }
}

fn stamp(version: &str) -> Arc<PriceTable> {
    Arc::new(PriceTable { name: "t".into(), version: version.into(), date: None })
}

fn bucket(interactions: &[Interaction]) -> Bucket {
    let mut bucket = Bucket::default();
    for one in interactions {
        bucket.record(one);
    }
    bucket
}

#[test]
fn an_interaction_is_counted_once_in_the_hour_in_which_it_began() {
    let one = bucket(&[interaction()]);
    assert_eq!(one.outcomes, Outcomes { resolved: 1, ..Outcomes::default() });
    assert_eq!(
        (one.cost.known, one.cost.unknown, one.cost.sum_usd.to_string().as_str()),
        (1, 0, "0.003")
    );
    assert_eq!((one.tokens.input, one.tokens.cached_input, one.tokens.output), (100, 10, 5));
    assert_eq!(one.users.count(), 1.0);
    assert_eq!(Slot::of(&interaction()).start_wall_ms, 1_772_355_600_000);
    assert_eq!(hour_of(-1), -HOUR_MS);
    assert_eq!(Slot::of(&interaction()).day().start_wall_ms, 1_772_323_200_000);
}

#[test]
fn what_nobody_said_is_unknown_and_an_error_of_the_version_is_a_failure() {
    let silent = Interaction {
        outcome: None,
        cost_nanousd: None,
        usage: Usage::default(),
        user: None,
        ..interaction()
    };
    let errs = |error| Interaction { error: Some(error), ..silent.clone() };
    let all = bucket(&[
        silent.clone(),
        errs(ErrorClass::Timeout),
        errs(ErrorClass::ClientCancel),
        errs(ErrorClass::GatewayRefused),
    ]);
    assert_eq!(all.outcomes, Outcomes { failed: 1, unknown: 2, ..Outcomes::default() });
    assert_eq!((all.errors_charged(), all.refused, all.interactions()), (1, 1, 3));
    assert_eq!((all.cost.unknown, all.tokens.unknown, all.anonymous), (3, 3, 3));
    let said = bucket(&[Interaction { outcome: Some(Outcome::Failed), ..interaction() }]);
    assert_eq!((said.outcomes.failed, said.errors_charged()), (1, 1));
    let no_version = bucket(&[Interaction { version: None, ..interaction() }]);
    assert_eq!((no_version.refused, no_version.interactions()), (1, 0));
}

#[test]
fn an_outcome_that_comes_late_moves_its_interaction_and_no_other() {
    let mut late = bucket(&[Interaction { outcome: None, ..interaction() }]);
    assert!(!late.settle(Some(Outcome::Escalated), Outcome::Resolved, false));
    assert!(late.settle(None, Outcome::Escalated, false));
    assert_eq!(late.outcomes, Outcomes { escalated: 1, ..Outcomes::default() });
    assert!(late.settle(Some(Outcome::Escalated), Outcome::Failed, false));
    assert_eq!(late.errors_charged(), 1);
    assert!(late.settle(Some(Outcome::Failed), Outcome::Resolved, false));
    assert_eq!((late.errors_charged(), late.errors.len(), late.outcomes.resolved), (0, 0, 1));
    let broken = Interaction { error: Some(ErrorClass::Timeout), outcome: None, ..interaction() };
    let said = Interaction { outcome: Some(Outcome::Failed), ..interaction() };
    let mut both = bucket(&[broken, said]);
    assert!(both.settle(Some(Outcome::Failed), Outcome::Resolved, true));
    assert_eq!(
        (both.errors_charged(), both.outcomes.resolved),
        (2, 1),
        "of another nothing is taken"
    );
}

#[test]
fn votes_are_thirds_of_answers_and_plain_votes() {
    let mut votes = Votes::default();
    for answer in [0, 6, 7, 8, 9, 10, 11] {
        votes.answer(answer);
    }
    votes.plain.record(Score::Positive);
    assert_eq!(votes.thirds(), Feedback { positive: 3, neutral: 2, negative: 2 });
}

#[test]
fn bytes_of_another_layout_or_cut_short_are_refused() {
    let bytes = bucket(&[interaction()]).to_bytes();
    assert!(bytes.len() < 64, "{}", bytes.len());
    assert_eq!(Bucket::from_bytes(&[9]), Err(NotABucket::Layout(9)));
    for end in 0..bytes.len() {
        assert_eq!(Bucket::from_bytes(&bytes[..end]), Err(NotABucket::Broken), "{end}");
    }
    let endless = [vec![1], vec![0xff; 40]].concat();
    assert_eq!(Bucket::from_bytes(&endless), Err(NotABucket::Broken));
}

#[test]
fn costs_are_told_by_table_and_unknown_ones_by_model_and_why() {
    let priced = |version: &str| Interaction { price_table: Some(stamp(version)), ..interaction() };
    let known = Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() };
    let unpriced = |model: Option<&str>, usage: Usage| Interaction {
        cost_nanousd: None,
        model: model.map(str::to_owned),
        usage,
        ..interaction()
    };
    let flex = Usage { tier: Some(ServiceTier::Flex), ..known };
    let all = bucket(&[
        priced("1"),
        priced("2"),
        priced("1"),
        interaction(),
        unpriced(None, known),
        unpriced(Some("m"), known),
        unpriced(Some("m"), Usage { tier: Some(ServiceTier::Standard), ..known }),
        unpriced(Some("m"), flex),
        unpriced(Some("m"), Usage { output_tokens: None, ..flex }),
    ]);
    assert_eq!(all.prices.tables, [("t 1".to_owned(), 2), ("t 2".to_owned(), 1)].into());
    let one = |name: &str, count: u64| BTreeMap::from([(name.to_owned(), count)]);
    let expected = BTreeMap::from([
        (Unpriced::NoModel, one("", 1)),
        (Unpriced::NoTokens, one("m", 1)),
        (Unpriced::NoPrice, one("m", 2)),
        (Unpriced::NoTier, one("m (flex)", 1)),
    ]);
    assert_eq!(all.prices.unpriced, expected);
    // What came from before tables were recorded is what is left.
    assert_eq!((all.cost.known, all.prices.known_named()), (4, 3));
    assert_eq!((all.cost.unknown, all.prices.unknown_named()), (5, 5));
}

#[test]
fn few_names_are_kept_however_many_there_are_and_however_long() {
    let with_model = |n: usize| Interaction {
        cost_nanousd: None,
        model: Some(format!("{n:03}{}", "é".repeat(500))),
        usage: Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() },
        ..interaction()
    };
    let all = bucket(&(0..200).map(with_model).collect::<Vec<_>>());
    let names: Vec<&String> = all.prices.unpriced[&Unpriced::NoPrice].keys().collect();
    assert_eq!(names.len(), 16);
    assert!(names[15].starts_with("015") && names.iter().all(|name| name.len() <= 100));
    assert_eq!((all.cost.unknown, all.prices.unknown_named()), (200, 16));
    let bytes = all.to_bytes();
    assert!(bytes.len() < 2_048, "{}", bytes.len());
    assert_eq!(Bucket::from_bytes(&bytes), Ok(all));
}

#[test]
fn bytes_from_before_prices_were_told_are_read() {
    // Written by a version of layout 1: an hour with one interaction that cost 3,000,000 nano-dollars.
    let old = bucket(&[interaction()]);
    let bytes = old.to_bytes();
    assert_eq!(bytes[0], 1);
    let read = Bucket::from_bytes(&bytes).unwrap();
    assert_eq!(read, old);
    assert_eq!((read.cost.known, read.prices.known_named()), (1, 0));
    let with = bucket(&[Interaction { price_table: Some(stamp("1")), ..interaction() }]).to_bytes();
    assert_eq!(with[0], 3);
    for end in 0..with.len() {
        assert_eq!(Bucket::from_bytes(&with[..end]), Err(NotABucket::Broken), "{end}");
    }
}

#[test]
fn bytes_that_know_fewer_reasons_are_read() {
    let now = bucket(&[Interaction { price_table: Some(stamp("1")), ..interaction() }]);
    let bytes = now.to_bytes();
    // Layout 2 has four lists of models after the tables, and this one six. All are empty here.
    let tables = bytes.windows(4).position(|part| part == b"t 1\x01").unwrap() + 4;
    assert_eq!(bytes[tables..tables + 6], [0; 6]);
    let old = [&[2], &bytes[1..tables], &bytes[tables + 2..]].concat();
    assert_eq!(Bucket::from_bytes(&old), Ok(now));
}

#[test]
fn whoever_priced_says_why_there_is_no_cost() {
    let usage = Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() };
    let batch = Usage { tier: Some(ServiceTier::Batch), ..usage };
    let because = |why: Unpriced, usage: Usage| Interaction {
        cost_nanousd: None,
        model: Some("m".into()),
        unpriced: Some(why),
        usage,
        ..interaction()
    };
    let all = bucket(&[
        because(Unpriced::NoKind, usage),
        because(Unpriced::NoKind, usage),
        because(Unpriced::NoKind, batch),
        because(Unpriced::BadTokens, Usage::default()),
        because(Unpriced::NoTokens, usage),
        because(Unpriced::NoPrice, batch),
        because(Unpriced::NoTier, batch),
    ]);
    let one = |name: &str, count: u64| (name.to_owned(), count);
    let expected = BTreeMap::from([
        (Unpriced::NoKind, BTreeMap::from([one("m", 2), one("m (batch)", 1)])),
        (Unpriced::BadTokens, BTreeMap::from([one("m", 1)])),
        (Unpriced::NoTokens, BTreeMap::from([one("m", 1)])),
        (Unpriced::NoPrice, BTreeMap::from([one("m", 1)])),
        (Unpriced::NoTier, BTreeMap::from([one("m (batch)", 1)])),
    ]);
    assert_eq!(all.prices.unpriced, expected);
    assert_eq!((all.tokens.input, all.tokens.unknown), (6, 1));
}

fn interactions() -> impl Strategy<Value = Vec<Interaction>> {
    let outcome = prop::option::of(prop::sample::select(vec![
        Outcome::Resolved,
        Outcome::Escalated,
        Outcome::Failed,
    ]));
    let error = prop::option::of(prop::sample::select(ErrorClass::ALL.to_vec()));
    let one = (
        outcome,
        error,
        prop::option::of(0..9u64),
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u64>()),
    );
    // More names than are kept.
    let why = prop::option::of(prop::sample::select(Unpriced::ALL.to_vec()));
    let named = (prop::option::of(0..40u8), prop::option::of(0..12u8), prop::bool::ANY, why);
    let one = (one, named).prop_map(|(one, (model, table, flex, unpriced))| {
        let (outcome, error, user, cost_nanousd, tokens) = one;
        Interaction {
            outcome,
            error,
            user,
            cost_nanousd,
            usage: Usage {
                input_tokens: tokens,
                output_tokens: Some(1),
                tier: flex.then_some(ServiceTier::Flex),
                ..Usage::default()
            },
            model: model.map(|model| format!("model-{model}")),
            price_table: table.map(|table| stamp(&table.to_string())),
            unpriced,
            ..interaction()
        }
    });
    prop::collection::vec(one, 0..60)
}

fn merged(a: &Bucket, b: &Bucket) -> Bucket {
    let mut all = a.clone();
    all.merge(b);
    all
}

#[test]
fn counts_that_no_service_comes_to_are_no_rollup() {
    let with = |change: fn(&mut Bucket)| {
        let mut bucket = Bucket::default();
        change(&mut bucket);
        Bucket::from_bytes(&bucket.to_bytes())
    };
    let changes: [fn(&mut Bucket); 5] = [
        |bucket| bucket.outcomes.failed = u64::MAX,
        |bucket| bucket.votes.answers[10] = u64::MAX,
        |bucket| bucket.cost.sum_usd = Amount::from_nano(i128::MIN),
        |bucket| _ = bucket.errors.insert(ErrorClass::OutcomeFailed, u64::MAX),
        |bucket| _ = bucket.prices.tables.insert("t".into(), u64::MAX),
    ];
    for change in changes {
        assert_eq!(with(change), Err(NotABucket::Broken), "two of them could not be added");
    }
    // Whoever answers says how many tokens there were.
    let mut read = with(|bucket| bucket.tokens.input = u64::MAX).unwrap();
    read.merge(&read.clone());
    assert_eq!(read.tokens.input, u64::MAX);
}

proptest! {
    #[test]
    fn merging_is_recording_together_in_any_order(a in interactions(), b in interactions(), c in interactions()) {
        let [x, y, z] = [&a, &b, &c].map(|some| bucket(some));
        prop_assert_eq!(merged(&merged(&x, &y), &z), merged(&x, &merged(&z, &y)));
        prop_assert_eq!(merged(&merged(&x, &y), &z), bucket(&[a, b, c].concat()));
        prop_assert_eq!(merged(&x, &Bucket::default()), x);
    }

    #[test]
    fn bytes_and_json_come_back(a in interactions(), answer in 0..11u8) {
        let mut bucket = bucket(&a);
        bucket.votes.answer(answer);
        bucket.vote(Score::Negative);
        prop_assert_eq!(&Bucket::from_bytes(&bucket.to_bytes()).unwrap(), &bucket);
        let json = serde_json::to_string(&bucket).unwrap();
        prop_assert_eq!(serde_json::from_str::<Bucket>(&json).unwrap(), bucket);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for layout in [1, 2, 3] {
            let read = Bucket::from_bytes(&[vec![layout], bytes.clone()].concat());
            let _ = read.map(|bucket| bucket.to_bytes());
        }
    }

    #[test]
    fn the_order_of_interactions_does_not_matter(some in interactions(), seed in any::<prop::sample::Index>()) {
        let mut turned = some.clone();
        if !turned.is_empty() {
            let at = seed.index(turned.len());
            turned.rotate_left(at);
        }
        prop_assert_eq!(bucket(&turned), bucket(&some));
    }
}
