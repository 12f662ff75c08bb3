//! Where a connection leads: a host and a port, in the one form in which two of them are compared.
//!
//! What clients or the system's resolver could read in more ways than one is no host: numbers that are no address in the
//! usual form, zones, escapes, letters beyond ASCII (names are in punycode by then).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The longest name that DNS carries.
const NAME_BYTES_MAX: usize = 253;

/// Who is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case, without a dot at the end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

/// A host and a port of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Who.
    pub host: Host,
    /// Never 0.
    pub port: u16,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotADestination {
    /// There is no host that all read in the same way.
    #[error("the host is neither a plain name nor an address in its usual form")]
    Host,
    /// There is no port.
    #[error("the port is no number from 1 to 65535")]
    Port,
}

impl Host {
    /// Reads a name, or an address as URLs have it.
    pub fn parse(text: &str) -> Result<Self, NotADestination> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(NotADestination::Host)?;
            let ip = inner.parse::<Ipv6Addr>().map_err(|_| NotADestination::Host)?;
            return Ok(Self::Address(IpAddr::V6(ip)));
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Address(IpAddr::V4(ip)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let fits = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
        // The C library takes all of these for addresses: 127.1, 0x7f000001, 017700000001.
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(fits) || is_number {
            return Err(NotADestination::Host);
        }
        Ok(Self::Name(name))
    }
}

impl Destination {
    /// Reads `host:port`, as `CONNECT` has it.
    pub fn parse(text: &str) -> Result<Self, NotADestination> {
        let (host, port) = text.rsplit_once(':').ok_or(NotADestination::Port)?;
        let host = Host::parse(host)?;
        let is_plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_plain).ok_or(NotADestination::Port)?;
        Ok(Self { host, port })
    }

    /// Of a URL of `http` or `https` without credentials.
    pub fn of_url(url: &str) -> Result<Self, NotADestination> {
        let (scheme, rest) = url.split_once("://").ok_or(NotADestination::Host)?;
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(NotADestination::Port),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        if has_port {
            return Self::parse(authority);
        }
        Ok(Self { host: Host::parse(authority)?, port: default_port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_destination_has_one_form() {
        for (text, form) in [
            ("pypi.org:443", "pypi.org:443"),
            ("PyPI.org.:443", "pypi.org:443"),
            ("a_b.internal:1", "a_b.internal:1"),
            ("127.0.0.1:8443", "127.0.0.1:8443"),
            ("[::1]:443", "[::1]:443"),
            ("[0:0:0:0:0:0:0:1]:443", "[::1]:443"),
            ("[::FFFF:127.0.0.1]:443", "[::ffff:127.0.0.1]:443"),
            ("1.a:65535", "1.a:65535"),
        ] {
            assert_eq!(Destination::parse(text).unwrap().to_string(), form, "{text}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_none() {
        for text in [
            "",
            ":443",
            "pypi.org",
            "pypi.org:",
            "pypi.org:0",
            "pypi.org:65536",
            "pypi.org:0443",
            "pypi.org:+443",
            "pypi.org:443:443",
            "pypi.org..:443",
            ".pypi.org:443",
            "a@pypi.org:443",
            "pypi.org/x:443",
            "pypi%2eorg:443",
            "pypi.org :443",
            "pypi.org\0:443",
            "münchen.example:443",
            "127.1:443",
            "127.0.0.1.:443",
            "127.0.0.01:443",
            "0177.0.0.1:443",
            "2130706433:443",
            "0x7f000001:443",
            "0x7f.0.0.0x1:443",
            "::1:443",
            "[::1:443",
            "[fe80::1%eth0]:443",
            "[127.0.0.1]:443",
        ] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_leads_to_its_host_and_port() {
        for (url, to) in [
            ("https://pypi.org", "pypi.org:443"),
            ("http://PyPI.org/simple?x#y", "pypi.org:80"),
            ("https://[::1]/x", "[::1]:443"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("HTTPS://10.0.0.1:99/", "10.0.0.1:99"),
        ] {
            assert_eq!(Destination::of_url(url).unwrap().to_string(), to, "{url}");
        }
        for url in ["pypi.org", "ftp://pypi.org", "https://", "https://a@b", "https:///x"] {
            assert!(Destination::of_url(url).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_as_the_same(text in "[a-zA-Z0-9.:\\[\\]_-]{0,40}") {
            if let Ok(read) = Destination::parse(&text) {
                prop_assert_eq!(Destination::parse(&read.to_string()), Ok(read));
            }
        }
    }
}
