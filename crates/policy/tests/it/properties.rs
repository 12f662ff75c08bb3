//! What holds for every argument: facts are as many and of the kinds that the type says, and canonical forms stay.

use std::collections::BTreeSet;

use lockgate_policy::facts::{Fact, FactType, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Pieces that mean something to some extractor, so that random texts get past the first check.
const PIECES: &[&str] = &[
    "/",
    "//",
    "..",
    ".",
    "a",
    "B",
    "%2e",
    "\u{301}",
    "e",
    "file://",
    "http://",
    "https://",
    "127.1",
    "[::1]",
    "example.com",
    "@",
    ":",
    "?",
    "#",
    "&",
    "=",
    "x=1",
    "SELECT ",
    "DELETE FROM ",
    "WHERE ",
    "1=1",
    "(",
    ")",
    ",",
    "*",
    "t",
    "WITH c AS (",
    " UNION ",
    "'",
    "\"",
    "`",
    "$",
    "${",
    "$(",
    "{",
    "}",
    "|",
    "||",
    "&&",
    ";",
    "\n",
    " ",
    "<",
    ">",
    "<<E\n",
    "E\n",
    "if ",
    "then ",
    "fi",
    "for x in ",
    "do ",
    "done",
    "sudo ",
    "xargs ",
    "sh -c ",
    "find . -exec ",
    "!",
    "12.34",
    "EUR",
    "-",
    "0",
    "é",
    "ß",
    "東",
    "аб",
    "\u{200b}",
    "\u{202e}",
    "／",
    "🙂",
    "\\",
    "~",
    "<a@b.example>",
];

fn argument() -> impl Strategy<Value = Value> {
    let pieces =
        prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|all| all.concat());
    let text =
        prop_oneof![4 => pieces, 1 => any::<String>(), 1 => "[ -~]{0,80}", 1 => "\\PC{0,40}"];
    let leaf = prop_oneof![
        8 => text.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            (inner.clone(), inner)
                .prop_map(|(amount, currency)| json!({"amount": amount, "currency": currency})),
        ]
    })
}

fn is_of(kind: Kind, fact: &Fact) -> bool {
    matches!(
        (kind, fact),
        (_, Fact::Unknown(_))
            | (Kind::Bool, Fact::Bool(_))
            | (Kind::Long, Fact::Long(_))
            | (Kind::Text, Fact::Text(_))
            | (Kind::Texts, Fact::Texts(_))
    )
}

fn named(of: FactType, facts: &[Fact], name: &str) -> Fact {
    facts[of.facts().iter().position(|(fact, _)| *fact == name).unwrap()].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn facts_are_those_that_the_type_has(argument in argument()) {
        for of in FactType::ALL {
            let facts = of.extract(&argument);
            prop_assert_eq!(facts.len(), of.facts().len());
            for ((name, kind), fact) in of.facts().iter().zip(&facts) {
                prop_assert!(is_of(*kind, fact), "{} {}: {:?}", of.name(), name, fact);
            }
        }
    }

    #[test]
    fn canonical_forms_stay(argument in argument()) {
        for (of, name) in [(FactType::Path, "canonical"), (FactType::Url, "canonical")] {
            let before = named(of, &of.extract(&argument), name);
            if let Fact::Text(canonical) = &before {
                let after = of.extract(&Value::from(canonical.as_str()));
                prop_assert_eq!(named(of, &after, name), before, "{} of {}", of.name(), argument);
            }
        }
    }

    #[test]
    fn addresses_and_folded_texts_stay(argument in argument()) {
        let of = FactType::Email;
        let before = named(of, &of.extract(&argument), "addresses");
        if let Fact::Texts(addresses) = &before {
            let list: Vec<&String> = addresses.iter().collect();
            prop_assert_eq!(named(of, &of.extract(&json!(list)), "addresses"), before);
        }
        let of = FactType::Text;
        let before = named(of, &of.extract(&argument), "folded");
        if let Fact::Text(folded) = &before {
            prop_assert_eq!(named(of, &of.extract(&json!(folded)), "folded"), before);
        }
    }

    #[test]
    fn a_path_is_in_its_ancestors_and_they_are_canonical(argument in argument()) {
        let of = FactType::Path;
        let facts = of.extract(&argument);
        if let (Fact::Text(canonical), Fact::Texts(ancestors)) =
            (named(of, &facts, "canonical"), named(of, &facts, "ancestors"))
        {
            prop_assert!(ancestors.contains(&canonical) && ancestors.contains("/"));
            for above in &ancestors {
                prop_assert_eq!(named(of, &of.extract(&json!(above)), "canonical"), Fact::Text(above.clone()));
            }
        }
    }
}

#[test]
fn types_have_names_of_their_own_and_facts_in_order() {
    let names: BTreeSet<&str> = FactType::ALL.into_iter().map(FactType::name).collect();
    assert_eq!(names.len(), FactType::ALL.len());
    for of in FactType::ALL {
        assert_eq!(FactType::from_name(of.name()), Some(of));
        assert!(of.facts().is_sorted_by(|(before, _), (after, _)| before < after), "{}", of.name());
    }
}
