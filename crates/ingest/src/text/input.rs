//! The bytes of a text file as UTF-8: digested as they lie on the disk, decompressed, decoded.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::bufread::GzDecoder;

use super::MAX_RECORD_BYTES;
use crate::digest::{BUFFER, Digested};
use crate::open::Watch;

/// A file by its compression, which its first bytes decide, not its name.
enum Packed {
    Plain(BufReader<Digested>),
    Gzip(Box<Gzip>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Digested>>),
    Bzip2(Box<MultiBzDecoder<BufReader<Digested>>>),
}

impl Packed {
    fn open(path: &Path, watch: &Watch) -> Result<Self, String> {
        let mut file = BufReader::with_capacity(BUFFER, Digested::open(path, watch)?);
        let head = file.fill_buf().map_err(|error| error.to_string())?;
        let is = |magic: &[u8]| head.starts_with(magic);
        for (magic, what) in [
            (&b"\xfd7zXZ\0"[..], "compressed with xz"),
            (b"PK\x03\x04", "a zip archive"),
            (b"\x04\x22\x4d\x18", "compressed with lz4"),
            (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ] {
            if is(magic) {
                return Err(format!(
                    "the file is {what}, which is not supported; gzip, zstd and bzip2 are"
                ));
            }
        }
        if is(b"PAR1") {
            return Err("it is a Parquet file".to_owned());
        }
        // Frames that are skipped, which programs that work in parallel write, have the numbers of 16 formats.
        let is_skippable = head.first().is_some_and(|first| first >> 4 == 5)
            && head.get(1..4) == Some(b"\x2a\x4d\x18");
        Ok(if is(GZIP) {
            Self::Gzip(Box::new(Gzip::Member(GzDecoder::new(file))))
        } else if is(b"\x28\xb5\x2f\xfd") || is_skippable {
            let decoder = zstd::stream::read::Decoder::with_buffer(file);
            Self::Zstd(decoder.map_err(|error| error.to_string())?)
        } else if is(b"BZh") && head.get(4..10) == Some(b"\x31\x41\x59\x26\x53\x59") {
            Self::Bzip2(Box::new(MultiBzDecoder::new(file)))
        } else {
            Self::Plain(file)
        })
    }

    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some("gzip"),
            Self::Zstd(_) => Some("zstd"),
            Self::Bzip2(_) => Some("bzip2"),
        }
    }

    /// sha256 of the whole file.
    fn finish(self) -> io::Result<String> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Gzip(members) => match *members {
                Gzip::Member(decoder) => decoder.into_inner(),
                Gzip::Ended(file) => file,
                Gzip::Failed => return Err(io::Error::other("its compression is damaged")),
            },
            Self::Zstd(decoder) => decoder.finish(),
            Self::Bzip2(decoder) => decoder.into_inner(),
        };
        io::copy(&mut file, &mut io::sink())?;
        Ok(file.into_inner().finish())
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(members) => members.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
        }
    }
}

/// How gzip begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// The members of a gzip file one after the other, and zero bytes behind them: tapes and block devices fill their last block.
enum Gzip {
    Member(GzDecoder<BufReader<Digested>>),
    Ended(BufReader<Digested>),
    /// What was between members could not be read.
    Failed,
}

impl Gzip {
    /// Goes on behind the end of a member.
    fn next_member(mut file: BufReader<Digested>) -> io::Result<Self> {
        let mut padded = false;
        loop {
            let rest = file.fill_buf()?;
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            if rest.is_empty() {
                return Ok(Self::Ended(file));
            }
            if zeros < rest.len() {
                let other = "bytes that are no gzip follow zero bytes at its end";
                return match padded || zeros > 0 {
                    true => Err(io::Error::new(io::ErrorKind::InvalidInput, other)),
                    false => Ok(Self::Member(GzDecoder::new(file))),
                };
            }
            padded = true;
            file.consume(zeros);
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Self::Member(decoder) = self else {
                return Ok(0);
            };
            let length = decoder.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            if let Self::Member(decoder) = std::mem::replace(self, Self::Failed) {
                *self = Self::next_member(decoder.into_inner())?;
            }
        }
    }
}

/// Whether bytes that are decoded as letters of one byte each are UTF-8: then each letter beyond ASCII becomes two others or more, and
/// nothing fails.
#[derive(Default)]
struct Utf8 {
    /// The beginning of a letter whose end is not there yet.
    begun: Vec<u8>,
    beyond_ascii: bool,
    broken: bool,
}

impl Utf8 {
    fn take(&mut self, bytes: &[u8]) {
        if self.broken || self.begun.is_empty() && bytes.is_ascii() {
            return;
        }
        self.beyond_ascii = true;
        self.begun.extend_from_slice(bytes);
        match str::from_utf8(&self.begun) {
            Ok(_) => self.begun.clear(),
            Err(error) => {
                self.broken = error.error_len().is_some();
                self.begun.drain(..error.valid_up_to());
            }
        }
    }

    fn is_it(&self) -> bool {
        self.beyond_ascii && !self.broken && self.begun.is_empty()
    }
}

/// Decodes what is not UTF-8. Bytes that have no meaning become U+FFFD, and their places are kept.
struct Decoding {
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    taken: usize,
    ended: bool,
    /// Where each byte stands for a letter.
    utf8: Option<Utf8>,
}

/// A text file with a window of its text in memory.
pub(crate) struct Input {
    packed: Packed,
    decoding: Option<Decoding>,
    window: Vec<u8>,
    /// Where what is not consumed begins in the window.
    start: usize,
    end: usize,
    /// Bytes of text before the window.
    before: u64,
    /// Places in the text, in bytes from its start, where something could not be decoded.
    undecoded: VecDeque<u64>,
    ended: bool,
    /// Line of the first byte that is not consumed, from 1.
    pub(crate) line: u64,
}

impl Input {
    /// Opens a file; `encoding` is the stated one.
    pub(crate) fn open(path: &Path, watch: &Watch, encoding: Option<&str>) -> Result<Self, String> {
        let mut input = Self {
            packed: Packed::open(path, watch)?,
            decoding: None,
            window: vec![0; BUFFER],
            start: 0,
            end: 0,
            before: 0,
            undecoded: VecDeque::new(),
            ended: false,
            line: 1,
        };
        while input.end < 4 && !input.ended {
            input.fill()?;
        }
        let stated = encoding.and_then(|name| Encoding::for_label(name.as_bytes()));
        let mark = Encoding::for_bom(input.rest());
        input.start = mark.map_or(0, |(_, length)| length);
        let encoding = mark.map(|(encoding, _)| encoding).or(stated);
        if let Some(encoding) = encoding.filter(|encoding| *encoding != UTF_8) {
            input.decode_as(encoding)?;
        } else if input
            .rest()
            .iter()
            .take(64)
            .filter(|byte| **byte == 0)
            .count()
            > 8
        {
            return Err(format!(
                "it contains zero bytes, like UTF-16 without a byte order mark: set the encoding, such as `text = {{ encoding = \"{}\" }}`",
                if input.rest()[0] == 0 {
                    UTF_16BE.name()
                } else {
                    UTF_16LE.name()
                }
                .to_lowercase()
            ));
        }
        Ok(input)
    }

    fn decode_as(&mut self, encoding: &'static Encoding) -> Result<(), String> {
        let raw = self.rest().to_vec();
        (self.start, self.end) = (0, 0);
        self.decoding = Some(Decoding {
            decoder: encoding.new_decoder_without_bom_handling(),
            raw,
            taken: 0,
            ended: self.ended,
            utf8: encoding.is_single_byte().then(Utf8::default),
        });
        self.ended = false;
        self.fill()
    }

    /// Text that is not consumed.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.window[self.start..self.end]
    }

    /// Whether [`Self::rest`] goes to the end of the file.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Moves on by bytes that hold this many line ends.
    pub(crate) fn consume(&mut self, bytes: usize, lines: u64) {
        self.start += bytes;
        self.line += lines;
    }

    /// Bytes of text that are consumed.
    pub(crate) fn position(&self) -> u64 {
        self.before + self.start as u64
    }

    /// Whether something before this place of the text, and not asked about before, could not be decoded.
    pub(crate) fn undecoded_before(&mut self, place: u64) -> bool {
        let before = self.undecoded.len();
        while self.undecoded.front().is_some_and(|next| *next < place) {
            self.undecoded.pop_front();
        }
        self.undecoded.len() < before
    }

    /// Takes more of the file into the window, which holds a whole record at most.
    pub(crate) fn more(&mut self) -> Result<(), String> {
        if self.end - self.start > MAX_RECORD_BYTES {
            return Err(format!(
                "line {}: a record is larger than {} MiB",
                self.line,
                MAX_RECORD_BYTES >> 20
            ));
        }
        self.fill()
    }

    fn fill(&mut self) -> Result<(), String> {
        if self.start > 0 {
            self.window.copy_within(self.start..self.end, 0);
            self.before += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.window.len() - self.end < BUFFER / 2 {
            self.window.resize(self.window.len() * 2, 0);
        }
        if self.decoding.is_some() {
            return self.decode();
        }
        let read = self.packed.read(&mut self.window[self.end..]);
        let length = read.map_err(|error| self.damaged(&error))?;
        self.end += length;
        self.ended = length == 0;
        Ok(())
    }

    fn decode(&mut self) -> Result<(), String> {
        let Some(mut decoding) = self.decoding.take() else {
            return Ok(());
        };
        if decoding.taken == decoding.raw.len() && !decoding.ended {
            decoding.raw.resize(BUFFER / 4, 0);
            let read = self.packed.read(&mut decoding.raw);
            let length = read.map_err(|error| self.damaged(&error))?;
            decoding.raw.truncate(length);
            decoding.taken = 0;
            decoding.ended = length == 0;
        }
        let room = &mut self.window[self.end..];
        let (result, read, written) = decoding.decoder.decode_to_utf8_without_replacement(
            &decoding.raw[decoding.taken..],
            room,
            decoding.ended,
        );
        if let Some(utf8) = &mut decoding.utf8 {
            utf8.take(&decoding.raw[decoding.taken..decoding.taken + read]);
        }
        decoding.taken += read;
        self.end += written;
        match result {
            DecoderResult::Malformed(..) => {
                self.undecoded.push_back(self.before + self.end as u64);
                let mark = "\u{fffd}".as_bytes();
                if self.window.len() < self.end + mark.len() {
                    self.window.resize(self.end + mark.len(), 0);
                }
                self.window[self.end..self.end + mark.len()].copy_from_slice(mark);
                self.end += mark.len();
            }
            DecoderResult::InputEmpty => self.ended = decoding.ended,
            DecoderResult::OutputFull => {}
        }
        self.decoding = Some(decoding);
        Ok(())
    }

    fn damaged(&self, error: &io::Error) -> String {
        match self.packed.name() {
            Some(compression) => format!(
                "from line {} on, its {compression} compression is damaged ({error})",
                self.line
            ),
            None => error.to_string(),
        }
    }

    /// Whether all bytes so far are UTF-8, with letters beyond ASCII, although they are decoded as another encoding.
    pub(crate) fn is_misread(&self) -> bool {
        let utf8 = self.decoding.as_ref().and_then(|of| of.utf8.as_ref());
        utf8.is_some_and(Utf8::is_it)
    }

    /// sha256 of the file as it lies on the disk.
    pub(crate) fn finish(self) -> Result<String, String> {
        self.packed.finish().map_err(|error| error.to_string())
    }
}
