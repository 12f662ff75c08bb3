//! Addresses of the internet protocol: which one is reached, and what it is for.
//!
//! Classes follow the IANA registries of special-purpose addresses (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anybody's, on the internet.
    Public,
    /// Of a network of one's own, or of a provider's.
    Private,
    /// This machine's.
    Loopback,
    /// On the same wire; where clouds keep their metadata.
    LinkLocal,
    /// Of many at once.
    Multicast,
    /// Of nobody whom one could mean.
    Reserved,
    /// None.
    Unspecified,
}

impl Class {
    /// As policies call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Unspecified => "unspecified",
        }
    }
}

/// The address that is reached: what is embedded in IPv4-mapped (RFC 4291) and NAT64 addresses (RFC 6052) comes out.
pub fn reached(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => ip,
    }
}

/// What an address is for, by what it reaches.
pub fn class(ip: IpAddr) -> Class {
    match reached(ip) {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

/// Whether a cloud tells whoever asks there who the machine is, and gives it credentials.
pub fn is_metadata(ip: IpAddr) -> bool {
    match reached(ip) {
        IpAddr::V4(v4) => {
            matches!(v4.octets(), [169, 254, ..] | [100, 100, 100, 200] | [192, 0, 0, 192])
        }
        IpAddr::V6(v6) => {
            matches!(
                v6.segments(),
                [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
            )
        }
    }
}

fn class_v4(ip: Ipv4Addr) -> Class {
    match ip.octets() {
        [0, 0, 0, 0] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        // 100.64.0.0/10 is shared by a provider's customers, and clouds keep their metadata there
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Class::Private,
        [169, 254, ..] => Class::LinkLocal,
        [224..=239, ..] => Class::Multicast,
        [0 | 240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Class::Reserved,
        _ => Class::Public,
    }
}

fn class_v6(ip: Ipv6Addr) -> Class {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // unique local, and the site-local ones before them
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2000..=0x3fff, ..] if !leads_elsewhere(ip) => Class::Public,
        _ => Class::Reserved,
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
            assert_eq!(class(ip.parse().unwrap()).as_str(), expected, "{ip}");
        }
    }

    #[test]
    fn clouds_tell_machines_who_they_are_at_known_addresses() {
        for ip in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
        ] {
            assert!(is_metadata(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["8.8.8.8", "10.0.0.1", "100.100.100.201", "fd00:ec2::253", "::1"] {
            assert!(!is_metadata(ip.parse().unwrap()), "{ip}");
        }
    }
}
