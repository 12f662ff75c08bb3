//! `strategy.matrix`: which values a job runs with.

use std::collections::BTreeMap;

use super::expression::{Names, Value, whole};
use crate::yaml::Node;

/// Most combinations of a job, as GitHub itself has it.
const COMBINATIONS_MAX: usize = 256;

pub(super) type Combination = BTreeMap<String, Value>;

/// All combinations, and whether they are known whole. A job without a matrix has one without values; one whose matrix
/// has no values never runs.
pub(super) fn combinations(job: &Node, names: &dyn Names) -> (Vec<Combination>, bool) {
    let Some(matrix) = job.at(&["strategy", "matrix"]) else {
        return (vec![Combination::new()], true);
    };
    if !matrix.is_map() {
        // The whole matrix is an expression, or nothing.
        let is_open = matrix.text().is_some_and(|text| {
            matches!(whole(text, names), Value::Open | Value::Unknown | Value::Setting)
        });
        return if is_open { (vec![Combination::new()], false) } else { (Vec::new(), true) };
    }
    let mut known = true;
    let mut all = vec![Combination::new()];
    for entry in matrix.entries() {
        if matches!(entry.key.as_str(), "include" | "exclude") {
            known &= entry.value.is_list();
            continue;
        }
        let Some(values) = axis(&entry.key, &entry.value, names) else {
            known = false;
            continue;
        };
        let mut next = Vec::new();
        for before in &all {
            for value in values.iter().take(COMBINATIONS_MAX) {
                if next.len() < COMBINATIONS_MAX {
                    let mut one = before.clone();
                    one.extend(value.clone());
                    next.push(one);
                }
            }
        }
        all = next;
    }
    // Without an axis there is nothing but what `include` has.
    if known && all.len() == 1 && all[0].is_empty() {
        all.clear();
    }
    exclude(&mut all, matrix, names);
    include(&mut all, matrix, names);
    if all.is_empty() && !known {
        all.push(Combination::new());
    }
    (all, known)
}

/// The values of one axis, each as the names that it gives; none when they are not known.
fn axis(key: &str, values: &Node, names: &dyn Names) -> Option<Vec<Combination>> {
    if values.is_list() {
        return Some(values.items().iter().map(|item| value(key, item, names)).collect());
    }
    match values.text().map(|text| whole(text, names)) {
        Some(Value::List(items)) => {
            let one = |item| Combination::from([(key.to_owned(), item)]);
            Some(items.into_iter().map(one).collect())
        }
        Some(Value::Open | Value::Unknown | Value::Setting) => None,
        // GitHub takes nothing else for values.
        _ => Some(Vec::new()),
    }
}

/// A value; of a map also what is in it, under names with dots.
fn value(key: &str, node: &Node, names: &dyn Names) -> Combination {
    let mut all = Combination::new();
    if node.is_map() {
        for entry in node.entries() {
            all.extend(value(&format!("{key}.{}", entry.key), &entry.value, names));
        }
        all.insert(key.to_owned(), Value::Something);
    } else {
        let found = match node.truth() {
            Some(truth) => Value::Bool(truth),
            None => node.text().map_or(Value::Null, |text| whole(text, names)),
        };
        all.insert(key.to_owned(), if node.is_list() { Value::Something } else { found });
    }
    all
}

fn fields(item: &Node, names: &dyn Names) -> Combination {
    item.entries().iter().flat_map(|entry| value(&entry.key, &entry.value, names)).collect()
}

fn exclude(all: &mut Vec<Combination>, matrix: &Node, names: &dyn Names) {
    let out: Vec<Combination> = matrix
        .get("exclude")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .map(|item| fields(item, names))
        .collect();
    all.retain(|one| {
        !out.iter().any(|out| {
            !out.is_empty() && out.iter().all(|(key, value)| one.get(key) == Some(value))
        })
    });
}

/// An entry adds to the combinations that it fits without changing them; one that fits none is a combination.
fn include(all: &mut Vec<Combination>, matrix: &Node, names: &dyn Names) {
    let only = all.len() == 1 && all[0].is_empty();
    if only && matrix.get("include").is_some_and(|list| !list.items().is_empty()) {
        all.clear();
    }
    let before = all.clone();
    for item in matrix.get("include").map(Node::items).unwrap_or_default() {
        let fields = fields(item, names);
        let mut fits_any = false;
        for (one, original) in all.iter_mut().zip(&before) {
            let fits =
                fields.iter().all(|(key, value)| original.get(key).is_none_or(|own| own == value))
                    && fields.keys().any(|key| original.contains_key(key));
            let free = fields.keys().all(|key| !original.contains_key(key));
            if fits || free && !original.is_empty() {
                one.extend(fields.clone());
                fits_any = true;
            }
        }
        if !fits_any && all.len() < COMBINATIONS_MAX {
            all.push(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Scope;
    use super::*;
    use crate::yaml::document;

    fn read(matrix: &str) -> (Vec<String>, bool) {
        let job = document(&format!("strategy:\n  matrix: {matrix}\n")).unwrap().unwrap();
        let (all, known) = combinations(&job, &Scope::default());
        let told = all.iter().map(|one| {
            let pairs = one
                .iter()
                .map(|(key, value)| format!("{key}={}", value.text().unwrap_or("?".into())));
            pairs.collect::<Vec<_>>().join(" ")
        });
        (told.collect(), known)
    }

    #[test]
    fn a_matrix_is_what_github_makes_of_it() {
        let all = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert_eq!(read("{a: [1, 2], b: [x]}"), (all(&["a=1 b=x", "a=2 b=x"]), true));
        assert_eq!(read("{a: [1, 2], exclude: [{a: 1}]}"), (all(&["a=2"]), true));
        assert_eq!(read("{include: [{a: 1}, {a: 2}]}"), (all(&["a=1", "a=2"]), true));
        assert_eq!(
            read("{a: [1, 2], include: [{a: 2, c: y}, {a: 3}]}"),
            (all(&["a=1", "a=2 c=y", "a=3"]), true)
        );
        assert_eq!(read("{a: '${{ fromJSON(needs.x.outputs.y) }}'}"), (all(&[""]), false));
        assert_eq!(read("{a: \"${{ fromJSON('[1, 2]') }}\"}"), (all(&["a=1", "a=2"]), true));
        for never in [
            "{a: []}",
            "{a: [1], b: []}",
            "{a: \"${{ fromJSON('[]') }}\"}",
            "{a: [1], exclude: [{a: 1}]}",
            "{include: []}",
            "{}",
        ] {
            assert_eq!(read(never), (Vec::new(), true), "{never}");
        }
        assert_eq!(read("{a: [1], exclude: [{a: 1}], include: [{b: 2}]}"), (all(&["b=2"]), true));
        assert_eq!(read("{job: [{cmd: x}]}").0, all(&["job=? job.cmd=x"]));
        let wide = format!("[{}]", (0..300).map(|n| n.to_string()).collect::<Vec<_>>().join(", "));
        assert_eq!(read(&format!("{{a: {wide}, b: {wide}}}")).0.len(), COMBINATIONS_MAX);
    }
}
