//! Content encodings, undone part by part with a bound on what comes out.

use std::io::{self, Write};

use brotli::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::Body;
use super::tool_calls::ToolCall;

/// An encoding that can be undone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
}

impl Encoding {
    /// Reads `content-encoding`; `None` for one that is unknown here, or for several.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else {
            return Some(Self::Identity);
        };
        if values.next().is_some() {
            return None;
        }
        match value.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }
}

/// Decoded bytes that are read whatever the ratio.
const FREE_BYTES: u64 = 1024 * 1024;
/// Decoded bytes per encoded byte. Streams of tokens, which repeat themselves, reach 20 to 40.
const RATIO_MAX: u64 = 100;
/// Decoded bytes of one answer.
const DECODED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bits of the largest Brotli window that is taken: 4 MiB, the default of encoders. The format
/// allows 16 MiB, for each stream at once.
const BROTLI_WINDOW_BITS_MAX: u32 = 22;

/// Counts what is decoded and refuses to go on beyond the bounds.
struct Bounded {
    /// Gone once the answer is over.
    body: Option<Body>,
    encoded_bytes: u64,
    decoded_bytes: u64,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.decoded_bytes = self.decoded_bytes.saturating_add(part.len() as u64);
        let Some(body) = &mut self.body else {
            return Err(io::Error::other("the answer is over"));
        };
        let allowed = FREE_BYTES.saturating_add(self.encoded_bytes.saturating_mul(RATIO_MAX));
        if self.decoded_bytes > allowed.min(DECODED_BYTES_MAX) {
            return Err(io::Error::other("more comes out than any real answer has"));
        }
        body.push(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stage {
    Plain(Body),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zlib(ZlibDecoder<Bounded>),
    Raw(DeflateDecoder<Bounded>),
    Brotli(Box<DecompressorWriter<Bounded>>),
    /// The first byte has to tell which decoder it takes.
    Unopened(Encoding, Bounded),
}

/// Undoes one encoding.
pub(super) struct Decoder(Box<Stage>);

/// The body cannot be decoded, or only to more than is read.
pub(super) struct Undecodable;

impl Decoder {
    pub(super) fn new(encoding: Encoding, body: Body) -> Self {
        let bounded = |body| Bounded { body: Some(body), encoded_bytes: 0, decoded_bytes: 0 };
        Self(Box::new(match encoding {
            Encoding::Identity => Stage::Plain(body),
            Encoding::Gzip => Stage::Gzip(Box::new(MultiGzDecoder::new(bounded(body)))),
            Encoding::Deflate | Encoding::Brotli => Stage::Unopened(encoding, bounded(body)),
        }))
    }

    /// Takes the next encoded part.
    pub(super) fn push(self, part: &[u8]) -> Result<Self, Undecodable> {
        let Some(&first) = part.first() else {
            return Ok(self);
        };
        let mut stage = self.0;
        if let Stage::Unopened(encoding, bounded) = *stage {
            stage = Box::new(open(encoding, bounded, first)?);
        }
        stage.write(part).map_err(|_| Undecodable)?;
        Ok(Self(stage))
    }

    /// The ids that were found since this was last asked.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        self.0.body().map(Body::take_ids).unwrap_or_default()
    }

    /// The calls that were asked for since this was last asked.
    pub(super) fn take_tool_calls(&mut self) -> Vec<ToolCall> {
        self.0.body().map(Body::take_tool_calls).unwrap_or_default()
    }

    /// Ends the body. `whole` demands that the encoding came to its end too.
    pub(super) fn finish(self, whole: bool) -> Result<Body, Undecodable> {
        let (ended, body) = match *self.0 {
            Stage::Plain(body) => return Ok(body),
            Stage::Unopened(_, bounded) => (Ok(()), bounded.body),
            Stage::Gzip(mut decoder) => (decoder.try_finish(), decoder.get_mut().body.take()),
            Stage::Zlib(mut decoder) => (decoder.try_finish(), decoder.get_mut().body.take()),
            Stage::Raw(mut decoder) => (decoder.try_finish(), decoder.get_mut().body.take()),
            Stage::Brotli(mut decoder) => (decoder.close(), decoder.get_mut().body.take()),
        };
        body.filter(|_| ended.is_ok() || !whole).ok_or(Undecodable)
    }
}

impl Stage {
    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        let more = part.len() as u64;
        match self {
            Self::Plain(body) => body.push(part),
            Self::Gzip(decoder) => {
                decoder.get_mut().encoded_bytes += more;
                decoder.write_all(part)?;
                decoder.flush()?;
            }
            Self::Zlib(decoder) => {
                decoder.get_mut().encoded_bytes += more;
                decoder.write_all(part)?;
                decoder.flush()?;
            }
            Self::Raw(decoder) => {
                decoder.get_mut().encoded_bytes += more;
                decoder.write_all(part)?;
                decoder.flush()?;
            }
            Self::Brotli(decoder) => {
                decoder.get_mut().encoded_bytes += more;
                decoder.write_all(part)?;
                decoder.flush()?;
            }
            Self::Unopened(..) => {}
        }
        Ok(())
    }
}

impl Stage {
    fn body(&mut self) -> Option<&mut Body> {
        let bounded = match self {
            Self::Plain(body) => return Some(body),
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Unopened(_, bounded) => bounded,
        };
        bounded.body.as_mut()
    }
}

fn open(encoding: Encoding, bounded: Bounded, first: u8) -> Result<Stage, Undecodable> {
    if encoding == Encoding::Brotli {
        return match brotli_window_bits(first) {
            Some(bits) if bits <= BROTLI_WINDOW_BITS_MAX => {
                Ok(Stage::Brotli(Box::new(DecompressorWriter::new(bounded, 8 * 1024))))
            }
            _ => Err(Undecodable),
        };
    }
    // RFC 9110 means zlib's wrapper (RFC 1950, method 8); some servers send the bare stream
    Ok(if first & 0x8f == 0x08 {
        Stage::Zlib(ZlibDecoder::new(bounded))
    } else {
        Stage::Raw(DeflateDecoder::new(bounded))
    })
}

/// RFC 7932, section 9.1; `None` for the reserved pattern.
fn brotli_window_bits(first: u8) -> Option<u32> {
    let three = |shift: u8| u32::from(first >> shift & 0b111);
    match (first & 1, three(1), three(4)) {
        (0, _, _) => Some(16),
        (_, 0, 0) => Some(17),
        (_, 0, 1) => None,
        (_, 0, bits) => Some(8 + bits),
        (_, bits, _) => Some(17 + bits),
    }
}
