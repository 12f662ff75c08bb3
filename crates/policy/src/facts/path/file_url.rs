//! `file:` URLs that name a file of this host.

use crate::facts::Decided;

/// The path of a `file:` URL, or nothing where the text is none.
pub(super) fn decoded(text: &str) -> Decided<Option<String>> {
    if !text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
        return Ok(None);
    }
    // `file:/x` and `file://host/x` are read in several ways
    let path = match text[5..].strip_prefix("//") {
        Some(rest) if rest.starts_with('/') => rest,
        Some(rest) => match rest.split_at_checked("localhost".len()) {
            Some((host, path))
                if host.eq_ignore_ascii_case("localhost") && path.starts_with('/') =>
            {
                path
            }
            _ => return Err("a file of another host"),
        },
        None => return Err("a file URL without an authority"),
    };
    if path.contains(['?', '#']) {
        return Err("a file URL with a query or fragment");
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => (nibbles(*high, *low)?, after),
            (b'%', _) => return Err("encoded characters"),
            _ => (*first, after),
        };
        if *first == b'%' && matches!(byte, b'/' | b'\\') {
            return Err("encoded characters");
        }
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "not UTF-8")
}

fn nibbles(high: u8, low: u8) -> Decided<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok(high << 4 | low),
        _ => Err("encoded characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_this_host() {
        for (written, expected) in [
            ("/file:///x", Ok(None)),
            ("file:///etc/a%20b", Ok(Some("/etc/a b"))),
            ("FILE://LocalHost/etc", Ok(Some("/etc"))),
            ("file:///100%25", Ok(Some("/100%"))),
        ] {
            assert_eq!(decoded(written), expected.map(|path| path.map(str::to_owned)), "{written}");
        }
        for written in [
            "file:/etc",
            "file:etc",
            "file://host/etc",
            "file:///a%2fb",
            "file:///a?b",
            "file:///%c0%ae",
            "file:///%",
        ] {
            assert!(decoded(written).is_err(), "{written}");
        }
    }
}
