//! Names of hosts, in the one form in which they are asked for: punycode, lower case, no dot at the end.

use std::borrow::Cow;
use std::collections::BTreeSet;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Decided, unicode};

/// The longest name that DNS carries.
const BYTES_MAX: usize = 253;

/// Whether every client turns these characters of a host into the same name.
pub(super) fn unambiguous(host: &str) -> Decided<()> {
    if host.is_ascii() {
        return Ok(());
    }
    for c in host.chars() {
        if let Some(why) = unicode::ambiguous(c) {
            return Err(why);
        }
        // IDNA 2003 and 2008 differ in the first two; the others are dots to some
        if matches!(c, 'ß' | 'ẞ' | 'ς' | '\u{3002}' | '\u{ff61}') {
            return Err("characters that clients read differently in a host");
        }
    }
    Ok(())
}

/// The name in its one form. It has letters, digits, hyphens and underscores only, and is no number.
pub(super) fn normalised(name: &str) -> Decided<Cow<'_, str>> {
    unambiguous(name)?;
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let needs_idna =
        !name.bytes().all(plain) || name.split('.').any(|label| label.starts_with("xn--"));
    let name = if needs_idna {
        Uts46::new()
            .to_ascii(name.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore)
            .map_err(|_| "not a name of a host")?
    } else {
        Cow::Borrowed(name)
    };
    let labels_fit = name.split('.').all(|label| (1..=63).contains(&label.len()));
    if !labels_fit || name.len() > BYTES_MAX || !name.bytes().all(plain) {
        return Err("not a name of a host");
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a number for a host");
    }
    Ok(name)
}

/// The host and every domain that it is in.
pub(super) fn domains(host: &str) -> BTreeSet<String> {
    let parents = host.match_indices('.').map(|(at, _)| host[at + 1..].to_owned());
    std::iter::once(host.to_owned()).chain(parents).collect()
}

/// Names that never leave this machine (RFC 6761).
pub(super) fn is_localhost(host: &str) -> bool {
    host == "localhost"
        || host == "localhost.localdomain"
        || host == "ip6-localhost"
        || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (written, expected) in [
            ("Example.COM", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("_dmarc.example.com", "_dmarc.example.com"),
        ] {
            assert_eq!(normalised(written).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_clients_read_differently_is_not_a_name() {
        for written in [
            "",
            ".",
            "a..b",
            "a.",
            ".a",
            "faß.de",
            "a。b",
            "ｅxample.com",
            "exam\u{ad}ple.com",
            "a b",
            "a/b",
            "a%2eb",
            "xn--zzzzzz--.com",
            "1.2.3.4",
            "0x7f",
            "example.0x7",
            "a@b",
            "a\u{200d}b.com",
            "㏂.com",
        ] {
            assert!(normalised(written).is_err(), "{written}");
        }
    }

    #[test]
    fn domains_are_split_at_dots() {
        let expected = ["a.b.example", "b.example", "example"].map(str::to_owned).into();
        assert_eq!(domains("a.b.example"), expected);
    }
}
