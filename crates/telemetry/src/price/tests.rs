use std::collections::BTreeMap;

use lockgate_model::config::{self, Config, Source};
use lockgate_model::interaction::ServiceTier;

use super::*;

/// 2026-11-23, noon UTC.
const AT: i64 = 1_795_435_200_000;

fn usage(input: u64, cached: Option<u64>, written: Option<u64>, output: u64) -> Usage {
    Usage {
        input_tokens: Some(input),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        output_tokens: Some(output),
        ..Usage::default()
    }
}

fn at(tier: ServiceTier, usage: Usage) -> Usage {
    Usage { tier: Some(tier), ..usage }
}

/// A configuration with these prices, and beside it a file of prices.
fn config(more: &str, file: &str) -> Config {
    let text = format!(
        "agents:\n- {{ name: a, versions: [{{ name: v1, endpoint: \"http://x\" }}] }}\n{more}\n"
    );
    let source = Source { text, files: [("prices.json".to_owned(), file.to_owned())].into() };
    config::read_with("lockgate.yaml", &source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn prices(config: &Config) -> Prices {
    Prices::new(config.prices.clone(), config.prices_file.as_ref(), Some("2026-11-20"))
}

fn own(prices: &str) -> Prices {
    self::prices(&config(&format!("prices:\n{prices}"), ""))
}

fn listed(file: &str) -> Prices {
    prices(&config("prices_file: { file: prices.json, date: 2026-11-01 }", file))
}

fn nano(prices: &Prices, provider: Option<&str>, model: &str, usage: &Usage) -> Option<u64> {
    prices.cost(provider, model, usage, AT).ok().map(|cost| cost.nanousd)
}

fn cost(provider: Option<&str>, model: &str, usage: &Usage) -> Option<u64> {
    nano(&Prices::default(), provider, model, usage)
}

#[test]
fn the_named_table_is_the_one_built_in() {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = format!("name = \"{}\"\nversion = \"{}\"\n", bundled::NAME, bundled::VERSION);
    assert!(lock.contains(&entry));
}

#[test]
fn costs_agree_with_the_published_prices() {
    // gpt-4o-mini: $0.15 input, $0.075 cached, $0.60 output per million
    let cached = usage(1_000, Some(200), None, 100);
    assert_eq!(cost(Some("openai"), "gpt-4o-mini-2024-07-18", &cached), Some(195_000));
    // gpt-4o: $2.50 input, $1.25 cached, $10 output
    assert_eq!(cost(Some("openai"), "gpt-4o", &usage(10, Some(0), None, 10)), Some(125_000));
    // claude-opus-4-5: $5 input, $0.50 read, $6.25 written, $10 written for an hour, $25 output
    let both = usage(10_000, Some(6_000), Some(3_000), 500);
    let expected = 1_000 * 5_000 + 6_000 * 500 + 3_000 * 6_250 + 500 * 25_000;
    assert_eq!(cost(Some("anthropic"), "claude-opus-4-5-20251101", &both), Some(expected));
    let hour = Usage { cache_write_1h_tokens: Some(2_000), ..both };
    let expected = expected - 2_000 * 6_250 + 2_000 * 10_000;
    assert_eq!(cost(Some("anthropic"), "claude-opus-4-5-20251101", &hour), Some(expected));
}

#[test]
fn long_prompts_are_charged_at_their_tier() {
    // gpt-5.4: $2.50 and $15, above 272,000 input tokens $5 and $22.50 for the whole request
    let short = usage(272_000, None, None, 1_000);
    let long = usage(272_001, None, None, 1_000);
    assert_eq!(cost(None, "gpt-5.4", &short), Some(272_000 * 2_500 + 1_000 * 15_000));
    assert_eq!(cost(None, "gpt-5.4", &long), Some(272_001 * 5_000 + 1_000 * 22_500));
}

#[test]
fn a_tier_has_its_own_prices() {
    let counts = usage(1_000, Some(400), None, 100);
    // o4-mini: $1.10, $0.275 cached, $4.40; flex $0.55, $0.138, $2.20; priority $2, $0.50, $8
    let of = |tier| cost(Some("openai"), "o4-mini", &at(tier, counts));
    let usual = cost(Some("openai"), "o4-mini", &counts);
    assert_eq!(usual, Some(600 * 1_100 + 400 * 275 + 100 * 4_400));
    assert_eq!(of(ServiceTier::Standard), usual);
    assert_eq!(of(ServiceTier::Flex), Some(600 * 550 + 400 * 138 + 100 * 2_200));
    assert_eq!(of(ServiceTier::Priority), Some(600 * 2_000 + 400 * 500 + 100 * 8_000));
    assert_eq!(of(ServiceTier::Fast), of(ServiceTier::Priority));
    assert_eq!(of(ServiceTier::Other), None);
    // claude-opus-4-5 by batch: half of everything
    let both = usage(10_000, Some(6_000), Some(3_000), 500);
    let batch = at(ServiceTier::Batch, Usage { cache_write_1h_tokens: Some(1_000), ..both });
    let expected = 500 * 5_000 + 3_000 * 500 + 1_000 * 6_250 + 500 * 10_000 + 250 * 25_000;
    assert_eq!(cost(Some("anthropic"), "claude-opus-4-5", &batch), Some(expected));
}

#[test]
fn a_tier_whose_prices_are_not_known_has_no_cost() {
    let plain = usage(1_000, None, None, 100);
    // The table has no price of what Anthropic sells as priority, and none of gpt-4o's flex.
    for (provider, model, tier) in [
        ("anthropic", "claude-opus-4-5", ServiceTier::Priority),
        ("anthropic", "claude-opus-4-5", ServiceTier::Fast),
        ("openai", "gpt-4o", ServiceTier::Flex),
        ("openai", "gpt-4o", ServiceTier::Other),
    ] {
        assert!(cost(Some(provider), model, &plain).is_some(), "{model}");
        assert_eq!(cost(Some(provider), model, &at(tier, plain)), None, "{model} {tier:?}");
    }
    // o4-mini by batch has prices of input and of output, and none of what is read from a cache.
    let batch = at(ServiceTier::Batch, plain);
    assert_eq!(cost(Some("openai"), "o4-mini", &batch), Some(1_000 * 550 + 100 * 2_200));
    let read = at(ServiceTier::Batch, usage(1_000, Some(1), None, 100));
    assert_eq!(cost(Some("openai"), "o4-mini", &read), None);
    // Before 2026-10-12 nobody wrote down what flex cost.
    let before = Prices::default().cost(
        Some("openai"),
        "o4-mini",
        &at(ServiceTier::Flex, plain),
        1_780_000_000_000,
    );
    assert_eq!(before.map(|cost| cost.nanousd), Err(Unpriced::NoTier));
}

#[test]
fn a_kind_of_token_without_a_price_of_its_own_has_no_cost() {
    // OpenAI writes nothing for an hour, so that the table has no price of it.
    let hour = Usage { cache_write_1h_tokens: Some(10), ..usage(100, None, Some(10), 1) };
    assert_eq!(cost(Some("openai"), "gpt-4o", &hour), None);
    // sonar-deep-research: $2 input, $8 output, $3 reasoning, as another provider sells it
    let model = "perplexity/sonar-deep-research";
    let silent = usage(1_000, None, None, 100);
    let of = |usage: &Usage| cost(Some("openrouter"), model, usage);
    assert_eq!(of(&silent), None, "how much was reasoning matters");
    let told = Usage { reasoning_tokens: Some(40), ..silent };
    assert_eq!(of(&told), Some(1_000 * 2_000 + 60 * 8_000 + 40 * 3_000));
}

#[test]
fn a_model_is_found_by_its_name_when_the_hint_is_wrong() {
    let counts = usage(1_000, None, None, 100);
    let right = cost(Some("anthropic"), "claude-opus-4-5", &counts);
    assert_eq!(right, Some(7_500_000));
    assert_eq!(cost(Some("openai"), "claude-opus-4-5", &counts), right);
    assert_eq!(cost(Some("openai"), "anthropic/claude-opus-4-5", &counts), right);
    assert_eq!(cost(Some("no such provider"), "claude-opus-4-5", &counts), right);
    assert_eq!(cost(None, "claude-opus-4-5", &counts), right);
}

#[test]
fn what_is_unknown_stays_unknown() {
    let counts = usage(1_000, None, None, 100);
    assert_eq!(cost(Some("openai"), "demo-agent-1", &counts), None);
    assert_eq!(cost(Some("openai"), "", &counts), None);
    // named in the table, without a price for tokens
    assert_eq!(cost(Some("google"), "gemma-3-27b-it", &counts), None);
    let no_output = Usage { output_tokens: None, ..counts };
    let no_input = Usage { input_tokens: None, ..counts };
    assert_eq!(cost(Some("openai"), "gpt-4o", &no_output), None);
    assert_eq!(cost(Some("openai"), "gpt-4o", &no_input), None);
    assert_eq!(cost(Some("openai"), "gpt-4o", &usage(10, Some(11), None, 1)), None);
    let prices = Prices::default();
    assert_eq!(prices.cost(None, "gpt-4o", &counts, -1), Err(Unpriced::NoPrice));
    assert!(prices.cost(None, "gpt-4o", &counts, i64::MAX).is_ok());
}

#[test]
fn an_answer_without_any_tokens_costs_nothing() {
    assert_eq!(cost(Some("openai"), "gpt-4o", &usage(0, None, None, 0)), Some(0));
}

const OWN: &str = "\
- { model: gpt-4o, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 0.1, output_usd_per_mtok: 2 }
- { model: in-house, input_usd_per_mtok: 3, output_usd_per_mtok: 4 }
- { model: free, input_usd_per_mtok: 0, output_usd_per_mtok: 0 }
- model: rich
  input_usd_per_mtok: 1
  cached_input_usd_per_mtok: 0.1
  cache_write_usd_per_mtok: 1.25
  cache_write_1h_usd_per_mtok: 2
  output_usd_per_mtok: 4
  reasoning_usd_per_mtok: 6
  above:
  - { input_tokens: 1000, input_usd_per_mtok: 10, output_usd_per_mtok: 40 }
  batch: { input_usd_per_mtok: 0.5, output_usd_per_mtok: 2, reasoning_usd_per_mtok: 3 }
";

#[test]
fn own_prices_win() {
    let prices = own(OWN);
    let counts = usage(1_000, Some(400), Some(50), 10);
    let of = |model| nano(&prices, Some("openai"), model, &counts);
    assert_eq!(of("gpt-4o"), Some(600_000 + 40_000 + 20_000));
    assert_eq!(of("in-house"), Some(3_000_000 + 40_000));
    assert_eq!(of("free"), Some(0));
}

#[test]
fn own_prices_may_tell_everything_apart() {
    let prices = own(OWN);
    let counts = Usage {
        cache_write_1h_tokens: Some(100),
        reasoning_tokens: Some(4),
        ..usage(1_000, Some(400), Some(200), 10)
    };
    let of = |usage: &Usage| nano(&prices, None, "rich", usage);
    let expected = 400 * 1_000 + 400 * 100 + 100 * 1_250 + 100 * 2_000 + 6 * 4_000 + 4 * 6_000;
    assert_eq!(of(&counts), Some(expected));
    let long = Usage { input_tokens: Some(1_001), ..counts };
    let expected = 401 * 10_000 + 400 * 100 + 100 * 1_250 + 100 * 2_000 + 6 * 40_000 + 4 * 6_000;
    assert_eq!(of(&long), Some(expected));
    assert_eq!(of(&Usage { reasoning_tokens: None, ..counts }), None);
    let batch =
        at(ServiceTier::Batch, Usage { reasoning_tokens: Some(4), ..usage(100, None, None, 10) });
    assert_eq!(of(&batch), Some(100 * 500 + 6 * 2_000 + 4 * 3_000));
    // Caches and long requests have prices of their own, and none of a batch.
    for more in
        [usage(100, Some(1), None, 10), usage(100, None, Some(1), 10), usage(1_001, None, None, 10)]
    {
        let more = Usage { reasoning_tokens: Some(4), ..more };
        assert_eq!(of(&at(ServiceTier::Batch, more)), None);
    }
    assert_eq!(of(&at(ServiceTier::Flex, counts)), None);
    let hour = Usage { cache_write_1h_tokens: Some(1), ..usage(100, None, Some(1), 1) };
    assert_eq!(nano(&prices, None, "in-house", &hour), None);
}

const FILE: &str = r#"{
    "gpt-4o": {"input_cost_per_token": 7e-06, "output_cost_per_token": 8e-06},
    "in-house": {"input_cost_per_token": 5e-06, "output_cost_per_token": 5e-06},
    "vendor/one": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1e-06}
}"#;

#[test]
fn own_prices_come_before_the_file_and_the_file_before_the_built_in_table() {
    let config = config(&format!("prices:\n{OWN}prices_file: {{ file: prices.json }}"), FILE);
    let prices = prices(&config);
    let counts = usage(1_000, None, None, 0);
    let of = |model| {
        let cost = prices.cost(Some("openai"), model, &counts, AT).ok()?;
        Some((cost.nanousd, cost.table.name.clone()))
    };
    assert_eq!(of("in-house"), Some((3_000_000, "lockgate.yaml".into())));
    assert_eq!(of("vendor/one"), Some((1_000_000, "prices.json".into())));
    assert_eq!(of("gpt-4o-mini"), Some((150_000, "genai-prices".into())));
    assert_eq!(of("no-such-model"), None);
    let listed = listed(FILE);
    assert_eq!(nano(&listed, Some("openai"), "gpt-4o", &counts), Some(7_000_000));
    // Whoever has the model prices it: the built-in table is not asked about a tier that the file does not have.
    let flex = at(ServiceTier::Flex, counts);
    assert_eq!(nano(&listed, Some("openai"), "gpt-4o", &flex), None);
    let batch = at(ServiceTier::Batch, usage(1_000, None, None, 10));
    assert_eq!(nano(&listed, None, "vendor/one", &batch), Some(510_000));
}

#[test]
fn a_cost_says_which_table_it_came_from_and_of_which_day() {
    let table = |prices: &Prices, model: &str| {
        let cost = prices.cost(None, model, &usage(10, None, None, 1), AT).unwrap();
        cost.table.to_string()
    };
    assert_eq!(table(&Prices::default(), "gpt-4o"), "genai-prices 0.2.1 of 2026-10-30");
    let listed = listed(FILE);
    let digest = Digest::of(FILE.as_bytes());
    let version = &digest.as_str()["sha256:".len()..][..DIGITS];
    assert_eq!(table(&listed, "gpt-4o"), format!("prices.json {version} of 2026-11-01"));
    let own_table = table(&own(OWN), "in-house");
    assert!(own_table.starts_with("lockgate.yaml ") && own_table.ends_with(" of 2026-11-20"));
    let other = own("- { model: in-house, input_usd_per_mtok: 3, output_usd_per_mtok: 5 }\n");
    assert_ne!(table(&other, "in-house"), own_table, "other prices are another version");
}

#[test]
fn the_most_is_the_dearest_way_to_use_tokens() {
    let most = |prices: &Prices, model: &str, input_tokens: u64| {
        prices.most_nanousd(None, model, AtMost { input_tokens, output_tokens: 10 }, AT)
    };
    let own = own(OWN);
    assert_eq!(most(&own, "rich", 1_000), Some(1_000 * 1_250 + 10 * 6_000));
    assert_eq!(most(&own, "rich", 1_001), Some(1_001 * 10_000 + 10 * 40_000));
    let bundled = Prices::default();
    assert_eq!(most(&bundled, "claude-opus-4-5", 100), Some(100 * 6_250 + 10 * 25_000));
    assert_eq!(most(&bundled, "gpt-4o", 100), Some(100 * 2_500 + 10 * 10_000));
    let research = "perplexity/sonar-deep-research";
    assert_eq!(most(&bundled, research, 100), Some(100 * 2_000 + 10 * 8_000));
    assert_eq!(most(&bundled, "no-such-model", 100), None);
}

#[test]
fn senseless_numbers_give_no_cost() {
    let price = |input: f64, cached: Option<f64>, output: f64| {
        let written = lockgate_model::price::WrittenLadder {
            base: lockgate_model::price::Written {
                input: Some(input),
                cached_input: cached,
                output: Some(output),
                ..Default::default()
            },
            ..Default::default()
        };
        let price = ModelPrice { standard: written.standard().unwrap(), tiers: BTreeMap::new() };
        Prices::new(vec![PriceOverride { model: "m".into(), price }], None, None)
    };
    let counts = usage(1_000, Some(1), None, 10);
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        for prices in [price(bad, None, 1.0), price(1.0, Some(bad), 1.0), price(1.0, None, bad)] {
            assert_eq!(nano(&prices, None, "m", &counts), None);
        }
    }
    let huge = usage(u64::MAX, None, None, 10);
    assert_eq!(nano(&price(1e9, None, 1.0), None, "m", &huge), None);
    assert_eq!(cost(Some("google"), "gemma-3-27b-it", &usage(u64::MAX, None, None, 1)), None);
    let more_cached = usage(10, Some(11), None, 0);
    assert_eq!(nano(&price(1.0, None, 1.0), None, "m", &more_cached), None);
}

#[test]
fn a_cost_that_is_not_known_says_why() {
    let prices =
        prices(&config(&format!("prices:\n{OWN}prices_file: {{ file: prices.json }}"), FILE));
    let counts = usage(1_000, None, None, 100);
    let read = usage(100, Some(1), None, 10);
    let hour = Usage { cache_write_1h_tokens: Some(10), ..usage(100, None, Some(10), 1) };
    let thought = |usage: Usage| Usage { reasoning_tokens: Some(4), ..usage };
    for (provider, model, usage, why) in [
        // The built-in table.
        (None, "demo-agent-1", counts, Unpriced::NoPrice),
        (Some("google"), "gemma-3-27b-it", counts, Unpriced::NoPrice),
        (None, "demo-agent-1", at(ServiceTier::Flex, counts), Unpriced::NoPrice),
        (Some("anthropic"), "claude-opus-4-5", at(ServiceTier::Priority, counts), Unpriced::NoTier),
        (Some("openai"), "o4-mini", at(ServiceTier::Other, counts), Unpriced::NoTier),
        (Some("openai"), "o4-mini", at(ServiceTier::Batch, read), Unpriced::NoKind),
        (Some("openai"), "gpt-4o-mini", hour, Unpriced::NoKind),
        (Some("openrouter"), "perplexity/sonar-deep-research", counts, Unpriced::NoTokens),
        (None, "o4-mini", Usage { output_tokens: None, ..counts }, Unpriced::NoTokens),
        (None, "o4-mini", self::usage(10, Some(11), None, 1), Unpriced::BadTokens),
        (None, "o4-mini", self::usage(20_000_001, None, None, 1), Unpriced::BadTokens),
        // What is written.
        (None, "rich", at(ServiceTier::Flex, thought(counts)), Unpriced::NoTier),
        (None, "rich", at(ServiceTier::Batch, thought(read)), Unpriced::NoKind),
        (None, "rich", counts, Unpriced::NoTokens),
        (None, "rich", thought(self::usage(10, None, None, 3)), Unpriced::BadTokens),
        (None, "in-house", hour, Unpriced::NoKind),
        (None, "in-house", self::usage(10, Some(11), None, 1), Unpriced::BadTokens),
    ] {
        let told = prices.cost(provider, model, &usage, AT).map(|cost| cost.nanousd);
        assert_eq!(told, Err(why), "{model} {usage:?}");
    }
    let most = usage(20_000_000, None, None, 20_000_000);
    assert!(prices.cost(None, "in-house", &most, AT).is_ok());
}
