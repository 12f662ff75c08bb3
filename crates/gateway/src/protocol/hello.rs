//! The first message of TLS (RFC 8446, section 4.1.2), as far as it says in the clear whom it is for.
//!
//! It is read as strictly as any server would: what could be taken for two things is none.

use std::fmt;

/// The longest message; those with keys of quantum-safe algorithms have about 2 KiB.
const HELLO_BYTES_MAX: usize = 16 * 1024;
/// The longest record (RFC 8446, section 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;
const RECORD_HEAD_BYTES: usize = 5;
/// Records that it may be cut into.
const RECORDS_MAX: usize = 32;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// How far a reader has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is not all there: at least so many bytes are needed in all.
    More(usize),
    /// It is.
    Hello(Hello),
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The server's name as it is written (RFC 6066, section 3).
    pub name: Option<String>,
    /// There may be another name that only the server can read (ECH, ESNI), or what is made to look like one.
    pub hides_name: bool,
}

/// Why bytes are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHello {
    /// They are something else.
    NotTls,
    /// It is larger than any that is made.
    TooLong,
    /// It is not made as it should be.
    Malformed,
}

impl NotHello {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotTls => "it does not begin with TLS",
            Self::TooLong => "its TLS handshake is longer than allowed",
            Self::Malformed => "its TLS handshake cannot be read in one way",
        }
    }
}

impl fmt::Display for NotHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The most bytes that are looked at before it is all there.
pub const BYTES_MAX: usize = HELLO_BYTES_MAX + RECORDS_MAX * RECORD_HEAD_BYTES;

/// Reads what a client has sent so far.
pub fn read(bytes: &[u8]) -> Result<Heard, NotHello> {
    let mut message = Vec::new();
    let mut rest = Cursor(bytes);
    for _ in 0..RECORDS_MAX {
        let at = bytes.len() - rest.0.len();
        if rest.0.first().is_some_and(|kind| *kind != HANDSHAKE)
            || rest.0.get(1).is_some_and(|major| *major != 3)
        {
            return Err(NotHello::NotTls);
        }
        let Some(head) = rest.take(RECORD_HEAD_BYTES) else {
            return Ok(Heard::More(at + RECORD_HEAD_BYTES));
        };
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if !(1..=RECORD_BYTES_MAX).contains(&length) {
            return Err(NotHello::Malformed);
        }
        // What it is shows in its first bytes, however slowly the rest comes.
        let there = &rest.0[..rest.0.len().min(length)];
        let before = message.len();
        message.extend_from_slice(there);
        let whole = message_length(&message)?;
        // Nothing else comes before the server has answered.
        if whole.is_some_and(|whole| before + length > whole) {
            return Err(NotHello::Malformed);
        }
        if there.len() < length {
            return Ok(Heard::More(at + RECORD_HEAD_BYTES + length));
        }
        rest.0 = &rest.0[length..];
        if whole == Some(message.len()) {
            return hello(&message[4..]).map(Heard::Hello);
        }
    }
    Err(NotHello::TooLong)
}

/// How long the message will be, its head included.
fn message_length(message: &[u8]) -> Result<Option<usize>, NotHello> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(NotHello::NotTls);
    }
    let [_, high, middle, low, ..] = *message else { return Ok(None) };
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > HELLO_BYTES_MAX - 4 { Err(NotHello::TooLong) } else { Ok(Some(4 + length)) }
}

fn hello(body: &[u8]) -> Result<Hello, NotHello> {
    parse(body).ok_or(NotHello::Malformed)
}

fn parse(body: &[u8]) -> Option<Hello> {
    let mut body = Cursor(body);
    let _version_and_random = body.take(2 + 32)?;
    let session = body.short_vector()?;
    let suites = body.vector()?;
    let compressions = body.short_vector()?;
    if session.len() > 32 || suites.is_empty() || suites.len() % 2 != 0 || compressions.is_empty() {
        return None;
    }
    let mut hello = Hello { name: None, hides_name: false };
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Cursor(body.vector()?);
    if !body.0.is_empty() {
        return None;
    }
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let data = extensions.vector()?;
        match kind {
            SERVER_NAME if hello.name.is_none() => hello.name = Some(server_name(data)?),
            SERVER_NAME => return None,
            // The standard's number, those of its drafts, and of what was before.
            0xfe08..=0xfe0d | 0xffce => hello.hides_name = true,
            _ => {}
        }
    }
    Some(hello)
}

/// One name, and of a host.
fn server_name(data: &[u8]) -> Option<String> {
    let mut data = Cursor(data);
    let mut list = Cursor(data.vector()?);
    let [kind] = *list.take(1)? else { return None };
    let name = list.vector()?;
    let is_all = data.0.is_empty() && list.0.is_empty() && kind == HOST_NAME;
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    if is_all && is_name { String::from_utf8(name.to_vec()).ok() } else { None }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let [high, low] = *self.take(2)? else { return None };
        Some(u16::from_be_bytes([high, low]))
    }

    /// With a length of two bytes before it.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }

    /// The same with one byte.
    fn short_vector(&mut self) -> Option<&'a [u8]> {
        let [length] = *self.take(1)? else { return None };
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(data: &[u8]) -> Vec<u8> {
        let mut all = u16::try_from(data.len()).unwrap().to_be_bytes().to_vec();
        all.extend(data);
        all
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [kind.to_be_bytes().to_vec(), vector(data)].concat()
    }

    fn name(name: &str) -> Vec<u8> {
        extension(0, &vector(&[vec![0], vector(name.as_bytes())].concat()))
    }

    /// A message with these extensions; without any at all for `None`.
    fn message(extensions: Option<&[u8]>) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(vector(&[0x13, 0x01]));
        body.extend([1, 0]);
        body.extend(extensions.map(vector).unwrap_or_default());
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [vec![1, length[1], length[2], length[3]], body].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| [vec![22, 3, 1], vector(part)].concat();
        message.chunks(size).flat_map(record).collect()
    }

    fn said(extensions: &[u8]) -> Result<Heard, NotHello> {
        read(&records(&message(Some(extensions)), 20_000))
    }

    fn named(name: &str, hides_name: bool) -> Heard {
        Heard::Hello(Hello { name: Some(name.into()), hides_name })
    }

    #[test]
    fn a_hello_says_whom_it_is_for() {
        let other = extension(43, &[2, 3, 4]);
        assert_eq!(said(&[other.clone(), name("pypi.org")].concat()), Ok(named("pypi.org", false)));
        assert_eq!(said(&other), Ok(Heard::Hello(Hello { name: None, hides_name: false })));
        assert_eq!(
            read(&records(&message(None), 9_999)),
            Ok(Heard::Hello(Hello { name: None, hides_name: false }))
        );
        for hidden in [0xfe0d, 0xfe0a, 0xffce] {
            let both = [name("front.example"), extension(hidden, &[0, 1])].concat();
            assert_eq!(said(&both), Ok(named("front.example", true)));
        }
    }

    #[test]
    fn a_hello_in_pieces_is_read_when_it_is_whole() {
        let whole = message(Some(&name("pypi.org")));
        for size in [2, 3, 7, 40, 1_000] {
            let bytes = records(&whole, size);
            assert_eq!(read(&bytes), Ok(named("pypi.org", false)), "{size}");
            for end in 0..bytes.len() {
                let Ok(Heard::More(needed)) = read(&bytes[..end]) else { panic!("{size} {end}") };
                assert!(needed > end && needed <= bytes.len(), "{size} {end}: {needed}");
            }
        }
        assert_eq!(read(&records(&whole, 1)), Err(NotHello::TooLong), "in too many");
        // What comes behind it is nobody's business here.
        let more = [records(&whole, 1_000), vec![23, 3, 3, 0, 1, 9]].concat();
        assert_eq!(read(&more), Ok(named("pypi.org", false)));
    }

    #[test]
    fn what_could_be_read_otherwise_is_none() {
        let list = |entries: &[u8]| extension(0, &vector(entries));
        let entry = |kind: u8, text: &str| [vec![kind], vector(text.as_bytes())].concat();
        for extensions in [
            [name("a.example"), name("a.example")].concat(),
            list(&[entry(0, "a.example"), entry(0, "b.example")].concat()),
            list(&entry(1, "a.example")),
            list(&entry(0, "")),
            list(&entry(0, "a\0.example")),
            list(&entry(0, "a example")),
            list(&[]),
            extension(0, &[]),
            vec![0, 0, 0],
        ] {
            assert_eq!(said(&extensions), Err(NotHello::Malformed), "{extensions:?}");
        }
        let whole = message(Some(&name("pypi.org")));
        let twice = [whole.clone(), whole.clone()].concat();
        assert_eq!(read(&records(&twice, 9_999)), Err(NotHello::Malformed));
        let mut longer = whole.clone();
        longer.push(0);
        longer[3] += 1;
        assert_eq!(read(&records(&longer, 9_999)), Err(NotHello::Malformed));
        let large = [&[22, 3, 1, 0, 9, 1, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0][..], &[22, 3, 1, 0x40, 0]];
        assert_eq!(read(&large.concat()), Err(NotHello::Malformed), "larger than what is left");
        assert_eq!(read(&[22, 3, 1, 0, 0]), Err(NotHello::Malformed), "an empty record");
        assert_eq!(read(&[22, 3, 1, 0xff, 0xff]), Err(NotHello::Malformed));
    }

    #[test]
    fn what_is_no_tls_is_seen_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"SSH-2.0-x",
            &[23, 3, 3, 0, 1],
            &[22, 2],
            &[22, 3, 1, 0, 9, 2],
        ] {
            assert_eq!(read(bytes), Err(NotHello::NotTls), "{bytes:?}");
        }
        assert_eq!(read(&[22, 3, 1, 0x40, 0, 1, 1, 0, 0]), Err(NotHello::TooLong));
        assert_eq!(read(&[]), Ok(Heard::More(5)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = bytes;
            for (at, byte) in [22, 3, 1, 0, 200, 1, 0, 0].into_iter().enumerate() {
                if let Some(there) = bytes.get_mut(at) { *there = byte; }
            }
            if let Ok(Heard::More(needed)) = read(&bytes) {
                prop_assert!(needed > bytes.len() && needed <= BYTES_MAX);
            }
        }

        #[test]
        fn a_hello_that_was_changed_anywhere_is_read_or_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes = records(&message(Some(&name("pypi.org"))), 30);
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = read(&bytes);
        }
    }
}
