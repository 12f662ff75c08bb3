//! Addresses of electronic mail (RFC 5322), in the forms that every mail program reads alike.
//!
//! Nothing is known of the others: comments, groups, quoted local parts, routes, encoded words, address literals,
//! semicolons between addresses, line breaks, local parts beyond ASCII or with `%` and `!`, which relays once followed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Decided, Fact, Kind, Shape, host, long, text_of, unicode, unknown};

/// All addresses together.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// More addresses than anybody writes to one by one.
pub(super) const ADDRESSES_MAX: usize = 1000;

/// RFC 5321, section 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;

/// - `addresses`: every address, its domain in punycode and lower case, its local part as it is
/// - `count`: how many are written, doubles too
/// - `domains`: every domain
pub(super) const FACTS: Shape =
    &[("addresses", Kind::Texts), ("count", Kind::Long), ("domains", Kind::Texts)];

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let mut found = Found::default();
    match found.read(argument) {
        Ok(()) => vec![
            Fact::Texts(found.addresses),
            Fact::Long(long(found.count)),
            Fact::Texts(found.domains),
        ],
        Err(why) => unknown(FACTS, why),
    }
}

#[derive(Default)]
struct Found {
    addresses: BTreeSet<String>,
    domains: BTreeSet<String>,
    count: usize,
}

impl Found {
    fn read(&mut self, argument: &Value) -> Decided<()> {
        let Value::Array(many) = argument else {
            return self.list(text_of(argument, BYTES_MAX)?);
        };
        let mut bytes_left = BYTES_MAX;
        for one in many {
            let text = text_of(one, bytes_left)?;
            bytes_left -= text.len();
            if text.trim_matches(' ').is_empty() {
                return Err("an empty address");
            }
            self.list(text)?;
        }
        Ok(())
    }

    /// Addresses with commas between them. An empty text has none.
    fn list(&mut self, text: &str) -> Decided<()> {
        if let Some(why) = text.chars().find_map(refused) {
            return Err(why);
        }
        if text.contains("=?") {
            return Err("encoded words");
        }
        if text.trim_matches(' ').is_empty() {
            return Ok(());
        }
        let mut rest = text;
        loop {
            let (mailbox, after) = until_comma(rest)?;
            self.add(mailbox.trim_matches(' '))?;
            match after {
                Some(after) => rest = after,
                None => return Ok(()),
            }
        }
    }

    fn add(&mut self, mailbox: &str) -> Decided<()> {
        self.count += 1;
        if self.count > ADDRESSES_MAX {
            return Err("too many addresses");
        }
        let (local, domain) = address(mailbox)?;
        let domain = host::normalised(domain)?;
        self.addresses.insert(format!("{local}@{domain}"));
        if !self.domains.contains(&*domain) {
            self.domains.insert(domain.into_owned());
        }
        Ok(())
    }
}

/// Characters that no address has, nor the name before it.
fn refused(c: char) -> Option<&'static str> {
    match c {
        '\\' | '(' | ')' | '[' | ']' | ';' | ':' => Some("comments, groups, quoting or literals"),
        _ if c.is_control() => Some("control characters"),
        _ if unicode::is_bidi(c) || unicode::is_invisible(c) => Some("invisible characters"),
        _ => None,
    }
}

/// Up to the next comma outside quotes, and what follows it.
fn until_comma(text: &str) -> Decided<(&str, Option<&str>)> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return Ok((&text[..at], Some(&text[at + 1..]))),
            // a program that does not know quotes takes these for an address
            b'@' | b'<' | b'>' if quoted => return Err("an address in quotes"),
            _ => {}
        }
    }
    if quoted { Err("an open quote") } else { Ok((text, None)) }
}

/// Local part and domain of `local@domain` or `Name <local@domain>`.
fn address(mailbox: &str) -> Decided<(&str, &str)> {
    let bare = match mailbox.split_once('<') {
        None => mailbox,
        Some((name, rest)) => {
            displayed(name.trim_matches(' '))?;
            rest.strip_suffix('>').ok_or("an open bracket")?
        }
    };
    let (local, domain) = bare.split_once('@').ok_or("no address")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".#$&'*+-/=?^_`{|}~".contains(&byte);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if local.is_empty() || local.len() > LOCAL_BYTES_MAX || dots || !local.bytes().all(plain) {
        return Err("not a plain local part");
    }
    Ok((local, domain))
}

/// A name before an address: one quoted text, or words.
fn displayed(name: &str) -> Decided<()> {
    let inner = name.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or("\""));
    let words = inner.unwrap_or(name);
    if words.contains(['"', '@', '<', '>']) { Err("a name that holds more") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn addresses(argument: &Value) -> Option<Vec<String>> {
        match extract(argument).swap_remove(0) {
            Fact::Texts(found) => Some(found.into_iter().collect()),
            _ => None,
        }
    }

    #[test]
    fn addresses_are_found() {
        for (written, expected) in [
            (json!("a@X.example"), vec!["a@x.example"]),
            (json!("A.b+c@x.example, d@y.example"), vec!["A.b+c@x.example", "d@y.example"]),
            (json!("\"Doe, John\" <j@x.example>"), vec!["j@x.example"]),
            (json!("Jö Doe <j@bücher.example>"), vec!["j@xn--bcher-kva.example"]),
            (
                json!(["a@x.example", "b@y.example,c@z.example"]),
                vec!["a@x.example", "b@y.example", "c@z.example"],
            ),
            (json!([]), vec![]),
            (json!(""), vec![]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(addresses(&written), Some(expected), "{written}");
        }
    }

    #[test]
    fn what_programs_read_differently_is_not_decided() {
        for written in [
            "a",
            "@x.example",
            "a@",
            "a@b@c.example",
            "a@x.example b@y.example",
            "a@x.example;b@y.example",
            "\"a b\"@x.example",
            "a(c)@x.example",
            "g:a@x.example;",
            "<@r.example:a@x.example>",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "=?utf-8?q?a=40b.example=3e?=@x.example",
            "a@x.example\nBcc: b@y.example",
            "a@x.example,",
            "\"b@y.example\" <a@x.example>",
            "<a@x.example> b",
            "a%y.example@x.example",
            "y!a@x.example",
            "a@x.example.",
            "ä@x.example",
            "a\u{200b}@x.example",
            ".a@x.example",
            "a <b <c@x.example>",
            "\"a\" b\" <c@x.example>",
            "a@x.exa mple",
        ] {
            assert_eq!(addresses(&json!(written)), None, "{written}");
        }
        assert_eq!(addresses(&json!([1])), None);
        assert_eq!(addresses(&json!([""])), None);
    }
}
