//! Addresses of the web, read as the WHATWG standard says, where curl and the libraries of Python read them alike.
//!
//! Nothing is known of a URL that they are known to read differently: white space, backslashes, a second `@` or `#`,
//! encoded hosts, zone ids, `http:host` without slashes. Only the scheme is known of a URL that is not of the web.
//!
//! Not here: where a name leads (DNS), and where an answer redirects to. Both are checked when they happen.

mod query;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use lockgate_model::address;
use serde_json::Value;
use url::{Host, Url};

use super::path::ancestors;
use super::{Decided, Fact, Kind, Shape, host, text_of, unicode, unknown};

/// Longer than what servers take.
pub(super) const BYTES_MAX: usize = 8 * 1024;

/// The set of paths above grows with the square of the depth.
const DEPTH_MAX: usize = 64;

/// - `address_class`: `public`, `private`, `loopback`, `link_local`, `multicast`, `reserved` or `unspecified` for IP
///   literals; `loopback` for localhost; `name` for other names
/// - `canonical`: scheme, host, port where it is not the scheme's, path and query; no credentials, no fragment
/// - `domains`: the host and every domain it is in; empty for IP literals
/// - `has_credentials`: has user information
/// - `host`: the name in punycode and lower case without a dot at the end, or the IP address
/// - `ip`: the IP address that the literal reaches, in its usual form; `none` for names
/// - `path`: decoded, where no server reads it otherwise
/// - `path_ancestors`: the path and every path above it
/// - `port`: as written, or the scheme's
/// - `query_names`: the names of the query, decoded
/// - `scheme`: in lower case
pub(super) const FACTS: Shape = &[
    ("address_class", Kind::Text),
    ("canonical", Kind::Text),
    ("domains", Kind::Texts),
    ("has_credentials", Kind::Bool),
    ("host", Kind::Text),
    ("ip", Kind::Text),
    ("path", Kind::Text),
    ("path_ancestors", Kind::Texts),
    ("port", Kind::Long),
    ("query_names", Kind::Texts),
    ("scheme", Kind::Text),
];

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let text = match text_of(argument, BYTES_MAX) {
        Ok(text) => text,
        Err(why) => return unknown(FACTS, why),
    };
    let (scheme, rest) = match scheme(text) {
        Ok(found) => found,
        Err(why) => return unknown(FACTS, why),
    };
    let mut facts = match of_the_web(text, &scheme, rest) {
        Ok(url) => facts(&url),
        Err(why) => unknown(FACTS, why),
    };
    facts[10] = Fact::Text(scheme.into_owned());
    facts
}

/// The scheme, and what follows its colon.
fn scheme(text: &str) -> Decided<(Cow<'_, str>, &str)> {
    // parsers strip these at the ends, some inside too
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("spaces or control characters");
    }
    let (scheme, rest) = text.split_once(':').ok_or("it has no scheme")?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(letters) {
        return Err("it has no scheme");
    }
    let upper = scheme.bytes().any(|byte| byte.is_ascii_uppercase());
    let scheme = if upper { scheme.to_ascii_lowercase().into() } else { Cow::Borrowed(scheme) };
    Ok((scheme, rest))
}

/// A URL whose host every client finds.
struct Web<'a> {
    url: Url,
    /// The path as written: the parser takes `..` out, which some clients leave to the server.
    path: &'a str,
    host: String,
    ip: Option<IpAddr>,
}

fn of_the_web<'a>(text: &str, scheme: &str, rest: &'a str) -> Decided<Web<'a>> {
    if !matches!(scheme, "http" | "https" | "ws" | "wss" | "ftp") {
        return Err("not a scheme of the web");
    }
    let after = rest.strip_prefix("//").ok_or("no slashes after the scheme")?;
    let path = one_reading(after)?;
    let mut url = Url::parse(text).map_err(|_| "not a URL")?;
    url.set_fragment(None);
    let (host, ip) = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            (host::normalised(name)?.into_owned(), None)
        }
        Some(Host::Ipv4(ip)) => (ip.to_string(), Some(IpAddr::V4(ip))),
        Some(Host::Ipv6(ip)) => {
            let ip = address::reached(IpAddr::V6(ip));
            (ip.to_string(), Some(ip))
        }
        None => return Err("it has no host"),
    };
    Ok(Web { url, path, host, ip })
}

/// The path in what follows `scheme://`, where every client takes that apart in one way.
fn one_reading(after: &str) -> Decided<&str> {
    if after.contains('\\') {
        return Err("a backslash");
    }
    if after.bytes().filter(|byte| *byte == b'#').count() > 1 {
        return Err("several fragments");
    }
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, tail) = after.split_at(end);
    // older parsers look for the host behind the last `@`, wherever it is
    if !tail.starts_with('/') && tail.contains('@') {
        return Err("an @ behind the host");
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$'()*,:%+".contains(&byte);
    if !user.bytes().all(plain) {
        return Err("credentials that clients read differently");
    }
    if host.is_empty() {
        return Err("it has no host");
    }
    // zero to the standard, a name to the C library
    if host.split('.').any(|part| part.eq_ignore_ascii_case("0x")) {
        return Err("a number without digits");
    }
    if host.contains('%') {
        return Err("an encoded host");
    }
    host::unambiguous(host)?;
    if !tail.is_ascii()
        && let Some(why) = tail.chars().find_map(unicode::ambiguous)
    {
        return Err(why);
    }
    Ok(tail.split(['?', '#']).next().unwrap_or_default())
}

fn facts(web: &Web<'_>) -> Vec<Fact> {
    let class = match web.ip {
        Some(ip) => address::class(ip).as_str(),
        None if host::is_localhost(&web.host) => "loopback",
        None => "name",
    };
    let path = path(web.path);
    let names = query::names(web.url.query());
    let canonical = path.as_ref().map(|_| canonical(web)).map_err(|why| *why);
    let above: Decided<BTreeSet<String>> = path.as_deref().map(ancestors).map_err(|why| *why);
    let credentials = !web.url.username().is_empty() || web.url.password().is_some();
    vec![
        Fact::Text(class.to_owned()),
        canonical.into(),
        Fact::Texts(if web.ip.is_some() { BTreeSet::new() } else { host::domains(&web.host) }),
        Fact::Bool(credentials),
        Fact::Text(web.host.clone()),
        Fact::Text(if web.ip.is_some() { web.host.clone() } else { "none".to_owned() }),
        path.into(),
        above.into(),
        web.url.port_or_known_default().map(i64::from).ok_or("it has no port").into(),
        names.into(),
        Fact::Unknown("set by the caller"),
    ]
}

fn canonical(web: &Web<'_>) -> String {
    let mut text = String::with_capacity(web.url.as_str().len());
    text.push_str(web.url.scheme());
    text.push_str("://");
    if matches!(web.ip, Some(IpAddr::V6(_))) {
        text.extend(["[", &web.host, "]"]);
    } else {
        text.push_str(&web.host);
    }
    if let Some(port) = web.url.port() {
        text.extend([":", &port.to_string()]);
    }
    text.push_str(web.url.path());
    if let Some(query) = web.url.query() {
        text.extend(["?", query]);
    }
    text
}

/// The path as every server finds it. Servers differ in encoded slashes and dots, empty parts and parameters.
fn path(encoded: &str) -> Decided<String> {
    let decoded = query::decoded(encoded, false)?;
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    if slashes(encoded) > DEPTH_MAX {
        return Err("too deep");
    }
    if slashes(encoded) != slashes(&decoded) {
        return Err("encoded slashes");
    }
    if decoded.contains([';', '\\', '%']) {
        return Err("characters that servers read differently");
    }
    if let Some(why) = decoded.chars().find_map(unicode::ambiguous) {
        return Err(why);
    }
    let path = decoded.strip_suffix('/').unwrap_or(&decoded);
    for part in path.split('/').skip(1) {
        if part.is_empty() || part.bytes().all(|byte| byte == b'.') {
            return Err("a part that servers read differently");
        }
    }
    Ok(if path.is_empty() { "/".to_owned() } else { unicode::composed(path).into_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(url: &str, name: &str) -> Fact {
        let at = FACTS.iter().position(|(of, _)| *of == name).unwrap();
        extract(&json!(url)).swap_remove(at)
    }

    #[test]
    fn addresses_in_every_spelling_are_found() {
        for (written, ip, class) in [
            ("http://127.1/", "127.0.0.1", "loopback"),
            ("http://2130706433/", "127.0.0.1", "loopback"),
            ("http://0x7f.1/", "127.0.0.1", "loopback"),
            ("http://0177.0.0.01/", "127.0.0.1", "loopback"),
            ("http://[::ffff:169.254.169.254]/", "169.254.169.254", "link_local"),
            ("http://[64:ff9b::a00:1]/", "10.0.0.1", "private"),
            ("http://example.com/", "none", "name"),
            ("http://LOCALHOST./", "none", "loopback"),
        ] {
            assert_eq!(fact(written, "ip"), Fact::Text(ip.to_owned()), "{written}");
            assert_eq!(fact(written, "address_class"), Fact::Text(class.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_clients_read_differently_has_no_host() {
        for written in [
            "http:example.com",
            "http:///example.com",
            "http://a.example\\@b.example/",
            "http://a@b@c.example/",
            "http://a.example#@b.example/",
            "http://a.example/#x#y",
            " http://a.example/",
            "http://a.example/\n",
            "http://%61.example/",
            "http://[fe80::1%25eth0]/",
            "http://faß.example/",
        ] {
            assert!(matches!(fact(written, "host"), Fact::Unknown(_)), "{written}");
        }
    }

    #[test]
    fn other_schemes_are_only_named() {
        assert_eq!(fact("Gopher://a.example/", "scheme"), Fact::Text("gopher".to_owned()));
        assert_eq!(fact("gopher://a.example/", "host"), Fact::Unknown("not a scheme of the web"));
    }

    #[test]
    fn a_canonical_url_has_no_secrets() {
        let canonical = fact("HTTPS://me:pw@Example.com.:443/a%20b?q=1#f", "canonical");
        assert_eq!(canonical, Fact::Text("https://example.com/a%20b?q=1".to_owned()));
        assert_eq!(fact("https://me@a.example/", "has_credentials"), Fact::Bool(true));
    }
}
