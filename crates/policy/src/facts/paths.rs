//! Lists of paths, each read as [`super::path`] reads one. What is not known of one of them is not known of the list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Fact, Kind, Shape, long, path, unknown};

/// More files than anybody opens at once.
pub(super) const PATHS_MAX: usize = 256;

/// - `absolute`, `any_absolute`: every one begins at the root, some one does
/// - `ancestors`: the paths themselves and every directory above one of them
/// - `common_ancestors`: the directories that all of them are in; of one path, itself too
/// - `count`: how many there are, doubles too
/// - `extensions`, `names`: of all of them
/// - `has_parent`, `hidden`: some one has a `..`, or a part that begins with a dot
/// - `windows`: some one is written as only Windows reads it
pub(super) const FACTS: Shape = &[
    ("absolute", Kind::Bool),
    ("ancestors", Kind::Texts),
    ("any_absolute", Kind::Bool),
    ("common_ancestors", Kind::Texts),
    ("count", Kind::Long),
    ("extensions", Kind::Texts),
    ("has_parent", Kind::Bool),
    ("hidden", Kind::Bool),
    ("names", Kind::Texts),
    ("windows", Kind::Bool),
];

const COUNT: usize = 4;

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let Value::Array(items) = argument else { return unknown(FACTS, "not a list of paths") };
    let count = Fact::Long(long(items.len()));
    if items.len() > PATHS_MAX {
        let mut facts = unknown(FACTS, "too many");
        facts[COUNT] = count;
        return facts;
    }
    let each: Vec<Vec<Fact>> = items.iter().map(path::extract).collect();
    vec![
        every(&each, path::ABSOLUTE),
        all_texts(&each, path::ANCESTORS),
        some(&each, path::ABSOLUTE),
        common_texts(&each, path::ANCESTORS),
        count,
        all_texts(&each, path::EXTENSION),
        some(&each, path::HAS_PARENT),
        some(&each, path::HIDDEN),
        all_texts(&each, path::NAME),
        some(&each, path::WINDOWS),
    ]
}

/// Why a fact is not known of some one.
fn why_unknown(each: &[Vec<Fact>], at: usize) -> Option<&'static str> {
    each.iter().find_map(|facts| match facts[at] {
        Fact::Unknown(why) => Some(why),
        _ => None,
    })
}

/// One that is so decides, whatever is not known of the others.
fn some(each: &[Vec<Fact>], at: usize) -> Fact {
    let is = each.iter().any(|facts| facts[at] == Fact::Bool(true));
    match why_unknown(each, at) {
        Some(why) if !is => Fact::Unknown(why),
        _ => Fact::Bool(is),
    }
}

/// One that is not so decides.
fn every(each: &[Vec<Fact>], at: usize) -> Fact {
    let not = each.iter().any(|facts| facts[at] == Fact::Bool(false));
    match why_unknown(each, at) {
        Some(why) if !not => Fact::Unknown(why),
        _ => Fact::Bool(!not),
    }
}

/// The texts that a fact of one path holds.
fn texts(fact: &Fact) -> BTreeSet<String> {
    match fact {
        Fact::Text(text) => BTreeSet::from([text.clone()]),
        Fact::Texts(texts) => texts.clone(),
        Fact::Bool(_) | Fact::Long(_) | Fact::Unknown(_) => BTreeSet::new(),
    }
}

fn all_texts(each: &[Vec<Fact>], at: usize) -> Fact {
    match why_unknown(each, at) {
        Some(why) => Fact::Unknown(why),
        None => Fact::Texts(each.iter().flat_map(|facts| texts(&facts[at])).collect()),
    }
}

/// Of no path at all, nothing is common: no directory holds what is not there.
fn common_texts(each: &[Vec<Fact>], at: usize) -> Fact {
    if let Some(why) = why_unknown(each, at) {
        return Fact::Unknown(why);
    }
    let all = each.iter().map(|facts| texts(&facts[at]));
    Fact::Texts(all.reduce(|common, texts| &common & &texts).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(texts: &[&str]) -> Fact {
        Fact::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn one_outside_leaves_nothing_in_common() {
        let inside = extract(&json!(["/srv/a/x.txt", "/srv/a/b/Y.md"]));
        assert_eq!(inside[3], set(&["/", "/srv", "/srv/a"]));
        assert_eq!(inside[5], set(&["md", "txt"]));
        assert_eq!(inside[8], set(&["Y.md", "x.txt"]));
        let outside = extract(&json!(["/srv/a/x.txt", "/srv/a/../../etc/passwd"]));
        assert_eq!(outside[3], set(&["/"]));
        assert_eq!(
            outside[1],
            set(&["/", "/etc", "/etc/passwd", "/srv", "/srv/a", "/srv/a/x.txt"])
        );
        assert_eq!(outside[6], Fact::Bool(true));
        assert_eq!(extract(&json!([]))[3], set(&[]));
    }

    #[test]
    fn what_one_hides_is_not_known_of_all() {
        let facts = extract(&json!(["/srv/a/.env", "/srv/%2e%2e/etc"]));
        for at in [0, 1, 3, 5, 6, 8, 9] {
            assert_eq!(facts[at], Fact::Unknown("encoded characters"), "{at}");
        }
        assert_eq!(facts[2], Fact::Bool(true), "the other one is");
        assert_eq!(facts[4], Fact::Long(2));
        assert_eq!(facts[7], Fact::Bool(true), "the other one is");
        let relative = extract(&json!(["/srv/a", "b"]));
        assert_eq!((&relative[0], &relative[2]), (&Fact::Bool(false), &Fact::Bool(true)));
        assert_eq!(relative[3], Fact::Unknown("a relative path"));
        for argument in [json!("/srv"), json!({"0": "/srv"}), json!(null)] {
            assert!(extract(&argument).iter().all(|fact| matches!(fact, Fact::Unknown(_))));
        }
        assert!(matches!(extract(&json!(["/srv", 5]))[1], Fact::Unknown(_)));
        let many = extract(&json!(vec!["/srv"; PATHS_MAX + 1]));
        assert_eq!((&many[1], &many[4]), (&Fact::Unknown("too many"), &Fact::Long(257)));
    }
}
