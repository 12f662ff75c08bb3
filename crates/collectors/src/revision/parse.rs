//! What people write for a commit (gitrevisions): a name or a hash, and steps back from it.

use gix_hash::ObjectId;

use super::objects::Objects;
use crate::git_dir::{GitDir, is_hash};

/// Steps back.
const STEPS_MAX: usize = 10_000;

/// Fewer digits of a hash are not looked for.
const DIGITS_MIN: usize = 4;

const STEPS: &str = "after the name, only steps such as `~2` or `^2` are read";

/// A step from a commit.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// So many first parents back.
    Back(usize),
    /// To a parent, counted from 1; 0 is the commit itself.
    Parent(usize),
}

/// The commit, and the objects that it is among.
pub(super) fn commit(git: &GitDir, rev: &str) -> Result<(Objects, ObjectId), String> {
    let (base, steps) = split(rev)?;
    let named = if is_hash(base) { Some(base.to_owned()) } else { git.find(base) };
    let digits = named.as_deref().or(git.find("HEAD").as_deref()).map_or(40, str::len);
    let kind = if digits == 64 { gix_hash::Kind::Sha256 } else { gix_hash::Kind::Sha1 };
    let objects = Objects::open(git, kind)?;
    let found = match named {
        Some(hash) => ObjectId::from_hex(hash.as_bytes()).ok(),
        None if base.len() >= DIGITS_MIN && base.bytes().all(|b| b.is_ascii_hexdigit()) => {
            objects.beginning(base)?
        }
        None => None,
    };
    let Some(found) = found else {
        return Err(if git.is_reftable() {
            "names in the format `reftable` are not read; write a hash".into()
        } else {
            "there is no branch, tag or commit of that name".into()
        });
    };
    let mut id = objects.commit(found)?;
    let mut taken = 0;
    for step in steps {
        let (number, times) = match step {
            Step::Back(times) => (1, times),
            Step::Parent(0) => continue,
            Step::Parent(number) => (number, 1),
        };
        taken += times;
        if taken > STEPS_MAX {
            return Err(format!("more than {STEPS_MAX} steps back are not taken"));
        }
        for _ in 0..times {
            id = objects.parent(&id, number)?;
        }
    }
    Ok((objects, id))
}

/// The name, and the steps after it.
fn split(rev: &str) -> Result<(&str, Vec<Step>), String> {
    let at = rev.find(['~', '^']).unwrap_or(rev.len());
    let (base, mut rest) = rev.split_at(at);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix(['~', '^']) else { return Err(STEPS.into()) };
        let is_back = rest.starts_with('~');
        let peeled = after.strip_prefix("{commit}").or(after.strip_prefix("{}"));
        if let Some(after) = peeled.filter(|_| !is_back) {
            rest = after;
            continue;
        }
        rest = after;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let number = if digits.is_empty() { Ok(1) } else { digits.parse() };
        let number = number.map_err(|_| STEPS.to_owned())?;
        steps.push(if is_back { Step::Back(number) } else { Step::Parent(number) });
        rest = after;
    }
    Ok((base, steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_a_name() {
        assert_eq!(split("main"), Ok(("main", vec![])));
        assert_eq!(split("v1^{commit}~2^"), Ok(("v1", vec![Step::Back(2), Step::Parent(1)])));
        assert_eq!(split("@~^0"), Ok(("@", vec![Step::Back(1), Step::Parent(0)])));
        for rev in ["a^{tree}", "a~x", "a^-1", "a~99999999999999999999999", "a^é"] {
            assert!(split(rev).is_err(), "{rev}");
        }
    }
}
