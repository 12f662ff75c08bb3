//! One reading of options with values: `--name value` and `--name=value`, of which the last counts.

/// The value of the last of these options.
pub(super) fn last<'a>(words: &[&'a str], names: &[&str]) -> Option<&'a str> {
    let mut found = None;
    for (i, word) in words.iter().enumerate() {
        if names.contains(word) {
            found = words.get(i + 1).copied();
        } else if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            found = Some(value);
        }
    }
    found
}

/// Every value of these options.
pub(super) fn all<'a>(words: &[&'a str], names: &[&str]) -> Vec<&'a str> {
    let value = |(i, word): (usize, &&'a str)| match word.split_once('=') {
        Some((name, value)) if names.contains(&name) => Some(value),
        _ if names.contains(word) => words.get(i + 1).copied(),
        _ => None,
    };
    words.iter().enumerate().filter_map(value).collect()
}

/// Whether one of these is told: `--name`, `--name=anything` but not `--name=false`; `name=value` asks for that value.
pub(super) fn told(words: &[&str], flags: &[&str]) -> bool {
    flags.iter().any(|flag| match flag.split_once('=') {
        Some((name, wanted)) => last(words, &[name]) == Some(wanted),
        None => words.iter().any(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            name == *flag && value != "false"
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_in_both_forms() {
        let words = ["x", "--exit-code", "1", "--exit-code=0", "--soft=false"];
        assert_eq!(last(&words, &["--exit-code"]), Some("0"));
        assert_eq!(all(&words, &["--exit-code"]), ["1", "0"]);
        assert!(told(&words, &["--exit-code=0"]));
        assert!(!told(&words, &["--exit-code=1"]));
        assert!(!told(&words, &["--soft"]));
        assert_eq!(last(&["x", "--exit-code"], &["--exit-code"]), None);
    }
}
