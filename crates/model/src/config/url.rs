//! URLs that Lockgate sends to: only what may stand there.

use std::net::IpAddr;

/// The parts that matter of a URL that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a URL was refused, and what helps.
pub(super) type Problem = (&'static str, &'static str);

/// Checks a URL: `http` or `https`, a host, no credentials, no query, no fragment.
pub(super) fn check(text: &str) -> Result<Target, Problem> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err(("has characters that a URL cannot have", "percent-encode them"));
    }
    let (default_port, rest) = match text.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some(("https", rest)) => (443, rest),
        Some(_) => return Err(("is neither http nor https", "use `http://` or `https://`")),
        None => return Err(("has no scheme", "start it with `http://` or `https://`")),
    };
    if rest.contains('?') || rest.contains('#') {
        return Err(("has a query or a fragment", "write only scheme, host, port and path"));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err((
            "holds credentials",
            "remove the part before `@`; secrets are given by `env:NAME` or `file:PATH`",
        ));
    }
    let (host, port) = split_port(authority, default_port)?;
    if host.is_empty() {
        return Err(("has no host", "write it like `http://127.0.0.1:9001`"));
    }
    if !is_host(&host) {
        return Err(("has a host that cannot be", "use a host name or an IP address"));
    }
    Ok(Target { host, port })
}

fn split_port(authority: &str, default_port: u16) -> Result<(String, u16), Problem> {
    let bad_port = ("has a port that cannot be", "use a number from 1 to 65535");
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let bad_host = ("has a host that cannot be", "close the IPv6 address with `]`");
            let (host, after) = rest.split_once(']').ok_or(bad_host)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or(bad_port)?)),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => default_port,
        Some(port) if port.chars().all(|c| c.is_ascii_digit()) => {
            port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(bad_port)?
        }
        Some(_) => return Err(bad_port),
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// A host name or an IP address.
pub(super) fn is_host(host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    // A name of digits and dots only is a mistyped address.
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    host.len() <= 253 && !numeric && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls() {
        for (url, host, port) in [
            ("http://127.0.0.1:9001", "127.0.0.1", 9001),
            ("https://Agent.example.com/v2/", "agent.example.com", 443),
            ("http://[::1]:80/x", "::1", 80),
            ("http://agent_v1", "agent_v1", 80),
        ] {
            assert_eq!(check(url), Ok(Target { host: host.into(), port }), "{url}");
        }
    }

    #[test]
    fn bad_urls() {
        for (url, problem) in [
            ("ftp://x", "neither"),
            ("localhost:80", "no scheme"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://u:p@x", "credentials"),
            ("http://x?y=1", "query"),
            ("http://x/#y", "fragment"),
            ("http://x:0", "port"),
            ("http://x:65536", "port"),
            ("http://x:+1", "port"),
            ("http://[::1", "host"),
            ("http://256.1.1.1", "host"),
            ("http://a..b", "host"),
            ("http://a b", "characters"),
            ("http://ä", "characters"),
        ] {
            let found = check(url).unwrap_err();
            assert!(found.0.contains(problem), "{url}: {found:?}");
        }
    }
}
