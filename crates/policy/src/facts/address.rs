//! Addresses of the internet protocol: which one is reached, and what it is for.
//!
//! Classes follow the IANA registries of special-purpose addresses (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that is reached: what is embedded in IPv4-mapped (RFC 4291) and NAT64 addresses (RFC 6052) comes out.
pub(super) fn reached(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => ip,
    }
}

/// What an address is for.
pub(super) fn class(ip: IpAddr) -> &'static str {
    match reached(ip) {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

fn class_v4(ip: Ipv4Addr) -> &'static str {
    match ip.octets() {
        [0, 0, 0, 0] => "unspecified",
        [127, ..] => "loopback",
        // 100.64.0.0/10 is shared by a provider's customers, and clouds keep their metadata there
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => "private",
        [169, 254, ..] => "link_local",
        [224..=239, ..] => "multicast",
        [0 | 240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => "reserved",
        _ => "public",
    }
}

fn class_v6(ip: Ipv6Addr) -> &'static str {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // unique local, and the site-local ones before them
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => "private",
        [0xfe80..=0xfebf, ..] => "link_local",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2000..=0x3fff, ..] if !leads_elsewhere(ip) => "public",
        _ => "reserved",
    }
}

/// Tunnels (Teredo, 6to4) and documentation: they lead to IPv4 addresses or nowhere.
fn leads_elsewhere(ip: Ipv6Addr) -> bool {
    matches!(
        ip.segments(),
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_the_class_of_what_it_reaches() {
        for (ip, expected) in [
            ("8.8.8.8", "public"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "reserved"),
            ("127.255.0.1", "loopback"),
            ("10.0.0.1", "private"),
            ("172.15.0.1", "public"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.1", "public"),
            ("192.168.1.1", "private"),
            ("100.100.100.200", "private"),
            ("169.254.169.254", "link_local"),
            ("192.0.2.1", "reserved"),
            ("198.19.0.1", "reserved"),
            ("224.0.0.251", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "reserved"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:8.8.8.8", "public"),
            ("64:ff9b::a9fe:a9fe", "link_local"),
            ("64:ff9b:1::1", "reserved"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link_local"),
            ("ff02::1", "multicast"),
            ("2001:db8::1", "reserved"),
            ("2001:0:1::1", "reserved"),
            ("2002:7f00:1::", "reserved"),
            ("2606:4700::1111", "public"),
            ("4000::1", "reserved"),
        ] {
            assert_eq!(class(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
