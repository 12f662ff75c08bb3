use proptest::prelude::*;

use super::*;
use crate::interaction::ServiceTier;
use crate::price::Rates;

fn list(text: &str) -> PriceList {
    read(text).unwrap_or_else(|note| panic!("{note:?}")).list
}

/// Prices in US dollars per million tokens, to nano-dollars.
fn near(rates: &Rates) -> [Option<i64>; 6] {
    #[expect(clippy::cast_possible_truncation, reason = "small")]
    let nano = |usd: f64| (usd * 1e9).round() as i64;
    let Rates { input, cached_input, cache_write, cache_write_1h, output, reasoning } = *rates;
    [Some(input), cached_input, cache_write, cache_write_1h, Some(output), reasoning]
        .map(|usd| usd.map(nano))
}

fn usd(rates: [Option<f64>; 6]) -> [Option<i64>; 6] {
    #[expect(clippy::cast_possible_truncation, reason = "small")]
    rates.map(|usd| usd.map(|usd| (usd * 1e9).round() as i64))
}

const FILE: &str = r#"{
    "sample_spec": {"input_cost_per_token": 0.0, "mode": "one of: chat, embedding", "max_tokens": "a text"},
    "house-1": {
        "litellm_provider": "openai", "mode": "chat", "max_tokens": 1000, "supports_vision": true,
        "input_cost_per_token": 1e-06, "output_cost_per_token": "4e-06", "output_cost_per_reasoning_token": 5e-06,
        "cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 1.25e-06,
        "cache_creation_input_token_cost_above_1hr": 2e-06,
        "input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token_above_200k_tokens": 6e-06,
        "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 2e-06,
        "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 8e-06,
        "cache_read_input_token_cost_priority": 3e-07, "cache_creation_input_token_cost_priority": 3.5e-06,
        "output_cost_per_reasoning_token_priority": 9e-06,
        "input_cost_per_token_above_200k_tokens_priority": 4e-06,
        "input_cost_per_token_flex": 5e-07, "output_cost_per_token_flex": null,
        "search_context_cost_per_query": {"search_context_size_low": 0.01},
        "input_cost_per_image": 0.1
    },
    "vendor/plain": {"litellm_provider": "vendor", "input_cost_per_token": 3e-06, "output_cost_per_token": 6e-06},
    "vectors": {"mode": "embedding", "input_cost_per_token": 2e-08, "input_cost_per_token_batches": 1e-08},
    "ranges": {
        "tiered_pricing": [
            {"range": [32000.0, 128000.0], "input_cost_per_token": 2e-06},
            {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06}
        ]
    }
}"#;

#[test]
fn every_kind_of_token_has_the_price_that_is_written() {
    let list = list(FILE);
    assert_eq!(list.len(), 4);
    let house = list.find(None, "house-1").unwrap();
    let short = house.standard.rates(200_000).unwrap();
    let expected = [Some(1.0), Some(0.1), Some(1.25), Some(2.0), Some(4.0), Some(5.0)];
    assert_eq!(near(short), usd(expected));
    // What is not written for long requests is as for shorter ones.
    let long = house.standard.rates(200_001).unwrap();
    assert_eq!(
        near(long),
        usd([Some(2.0), Some(0.1), Some(1.25), Some(2.0), Some(6.0), Some(5.0)])
    );
    let plain = list.find(None, "vendor/plain").unwrap().standard.base;
    assert_eq!(near(&plain), usd([Some(3.0), Some(3.0), Some(3.0), None, Some(6.0), Some(6.0)]));
    let vectors = list.find(None, "vectors").unwrap();
    assert_eq!(near(&vectors.standard.base)[4], Some(0));
    assert!(vectors.ladder(Some(ServiceTier::Batch)).is_some());
}

#[test]
fn a_tier_has_what_is_written_for_it_and_nothing_else() {
    let list = list(FILE);
    let house = list.find(None, "house-1").unwrap();
    let batch = house.ladder(Some(ServiceTier::Batch)).unwrap();
    // Caches and reasoning have prices of their own, and not for batches.
    let expected = [Some(0.5), None, None, None, Some(2.0), None];
    assert_eq!(near(batch.rates(200_000).unwrap()), usd(expected));
    assert_eq!(batch.rates(200_001), None, "long ones are dearer, and nobody says how much");
    let priority = house.ladder(Some(ServiceTier::Priority)).unwrap();
    let expected = [Some(4.0), Some(0.3), Some(3.5), None, Some(8.0), Some(9.0)];
    assert_eq!(near(priority.rates(200_001).unwrap()), usd(expected));
    assert_eq!(house.ladder(Some(ServiceTier::Fast)), Some(priority), "the newer name");
    assert_eq!(house.ladder(Some(ServiceTier::Flex)), None, "without a price of output");
    assert_eq!(house.ladder(Some(ServiceTier::Other)), None);
    for usual in [None, Some(ServiceTier::Standard)] {
        assert_eq!(house.ladder(usual), Some(&house.standard));
    }
    let plain = list.find(None, "vendor/plain").unwrap();
    assert_eq!(plain.ladder(Some(ServiceTier::Batch)), None);
}

#[test]
fn ranges_are_steps() {
    let list = list(FILE);
    let ranges = &list.find(None, "ranges").unwrap().standard;
    let of = |tokens| ranges.rates(tokens).map(near).map(|near| [near[0], near[4]]);
    assert_eq!(of(32_000), Some([Some(1_000_000_000), Some(5_000_000_000)]));
    assert_eq!(of(32_001), Some([Some(2_000_000_000), Some(5_000_000_000)]));
}

#[test]
fn a_model_is_found_with_or_without_its_provider() {
    let list = list(FILE);
    assert!(list.find(Some("vendor"), "plain").is_some());
    assert!(list.find(Some("other"), "plain").is_none());
    assert!(list.find(None, "plain").is_none());
    assert!(list.find(None, "openai/house-1").is_some());
    assert!(list.find(None, "other/house-1").is_none(), "another's may have another price");
    assert!(list.find(Some("openai"), "house-2").is_none());
}

#[test]
fn what_cannot_be_used_is_named_with_its_place_and_why() {
    let text = "{\n\"good\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06},\n\
        \"a-picture\": {\"output_cost_per_image\": 0.04},\n\
        \"wrong\": {\"input_cost_per_token\": -1, \"output_cost_per_token\": 1e-06},\n\
        \"per-million\": {\"input_cost_per_token\": 2.5, \"output_cost_per_token\": 10},\n\
        \"words\": {\"input_cost_per_token\": \"cheap\", \"output_cost_per_token\": 1e-06},\n\
        \"half\": {\"input_cost_per_token\": 1e-06},\n\
        \"free\": {\"input_cost_per_token\": 0, \"output_cost_per_token\": 0.0},\n\
        \"by-hour\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"off_peak_pricing\": {}},\n\
        \"list\": [1],\n\
        \"\": {}\n}";
    let read = read(text).unwrap();
    assert_eq!(read.list.len(), 1);
    let told = read.notes.iter().map(|note| {
        let said = note.message.strip_prefix("not priced by this file: ").unwrap();
        format!("{}:{} {said}", note.line, note.column)
    });
    let expected = [
        "11:5 names that no model can have: ``",
        "10:9 models that are no objects with prices: `list`",
        "4:10 models with a `input_cost_per_token` that is no price: `wrong`, `per-million`, `words`",
        "3:14 models without prices of tokens: `a-picture`",
        "7:9 models with a price of input or of output alone: `half`",
        "8:9 models at 0, which is how unknown prices are written: `free`",
        "9:12 models with prices by the hour of the day, which are not read: `by-hour`",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn many_models_are_counted() {
    let many: Vec<String> = (0..9).map(|n| format!("\"p{n}\": {{}}")).collect();
    let text = format!(
        "{{{}, \"m\": {{\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06}}}}",
        many.join(", ")
    );
    let notes = read(&text).unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].message.ends_with("`p0`, `p1`, `p2`, `p3`, `p4` and 4 more"), "{notes:?}");
}

#[test]
fn a_bad_file_is_refused_with_its_place() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(20), "]".repeat(20));
    let many: Vec<String> = (0..=ENTRIES_MAX).map(|n| format!("\"{n}\":0")).collect();
    let many = format!("{{{}}}", many.join(","));
    let priced = "{\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06}";
    let twice = format!("{{\"m\": {priced},\n \"m\": {priced}}}");
    for (text, place, says) in [
        ("", (1, 1), "EOF"),
        ("[]", (1, 1), "models by their names"),
        ("{\"a\": {}\n", (2, 1), "EOF"),
        ("{\n\"a\": {} x}", (2, 9), "expected"),
        ("{} {}", (1, 4), "trailing"),
        ("{\"a\": {}}", (1, 1), "no model"),
        (deep.as_str(), (1, 22), "more than 16 levels"),
        (twice.as_str(), (2, 7), "`m` is there twice"),
    ] {
        let note = read(text).expect_err(says);
        assert!(note.message.contains(says), "{}", note.message);
        assert_eq!((note.line, note.column), place, "{}", note.message);
    }
    let too_many = read(&many).expect_err("too many");
    assert!(too_many.message.contains("more than 20000 models"), "{}", too_many.message);
}

#[test]
fn tokens_of_a_tier_or_a_long_request_at_0_have_no_price_that_is_known() {
    let usual = "\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 2e-06";
    let free = |suffix: &str| {
        format!("\"input_cost_per_token{suffix}\": 0, \"output_cost_per_token{suffix}\": 0")
    };
    let text = format!(
        "{{\"batch\": {{{usual}, {}}}, \"long\": {{{usual}, {}}}}}",
        free("_batches"),
        free("_above_200k_tokens")
    );
    let read = read(&text).unwrap();
    let batch = read.list.find(None, "batch").expect("its usual price is known");
    assert!(batch.tiers.is_empty(), "{batch:?}");
    assert_eq!(read.list.find(None, "long"), None);
    assert!(read.notes[0].message.contains("`long`"), "{}", read.notes[0].message);
}

#[test]
fn however_many_reasons_there_are_some_are_told_and_the_rest_counted() {
    let good = "\"m\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06}";
    let bad: Vec<String> = (0..5_000)
        .map(|n| format!("\"x{n}\": {{\"input_cost_per_token_above_{n}_tokens\": 5}}"))
        .collect();
    let read = read(&format!("{{{good}, {}}}", bad.join(", "))).unwrap();
    assert_eq!(read.notes.len(), 51);
    let last = &read.notes[50].message;
    assert!(last.starts_with("4950 more models"), "{last}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_entry_is_read_or_named(
        field in "(input|output)_cost_per_token(_above_[0-9]{0,25}k?_tokens|_flex|_batches|_x){0,3}",
        value in "(null|-?[0-9]{1,3}(e-?[0-9]{1,3})?|\"[0-9a-z.-]{0,5}\"|\\[\\]|true)",
    ) {
        let good = "\"m\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06}";
        let text = format!("{{{good}, \"n\": {{\"{field}\": {value}}}}}");
        let read = read(&text);
        prop_assert!(read.is_err() || read.is_ok_and(|read| read.list.len() + read.notes.len() == 2));
    }
}
