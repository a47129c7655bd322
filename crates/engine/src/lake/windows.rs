//! The files of a scan in windows of bounded size; the next window is read while the previous one is decoded.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use polars::prelude::IdxSize;
use polars_buffer::Buffer;
use tessera_expr::rel::Scan;
use tessera_spec::activity;

use super::Fault;
use super::file::LakeFile;
use super::footer::{self, Footer, rows};
use super::image::{self, Image, Size};
use super::prune::{TimeBound, some_may_hold};
use super::side::Side;
use crate::budget::PROGRAM_BYTES;
use crate::error::EngineError;

/// Bytes, as the files hold them, that are decoded at a time; a row group that has more is read alone.
const WINDOW_BYTES: u64 = 64 << 20;

/// The same for several plans, of which each is run over a window in memory.
const SHARED_WINDOW_BYTES: u64 = 16 << 20;

/// Most bytes of decoded rows at a time, however much a run may take.
const DECODED_BYTES: u64 = 256 << 20;

/// Least bytes of decoded rows at a time, however little a run may take.
const LEAST_DECODED_BYTES: u64 = 32 << 20;

/// Share of the memory limit for the rows of one window once decoded. Rows of the previous window are still in memory then.
const DECODED_SHARE: u64 = 8;

/// The memory limit of the run.
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// States how many bytes the run may take: rows are decoded in parts that keep to it, and what cannot be divided is refused.
pub(crate) fn limit(bytes: u64) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// Most bytes of decoded rows at a time.
fn most_decoded() -> u64 {
    (LIMIT.load(Ordering::Relaxed) / DECODED_SHARE).clamp(LEAST_DECODED_BYTES, DECODED_BYTES)
}

/// Parts of a window, which are decoded by a plan each: pieces whose columns and paths are alike.
const WINDOW_PARTS: usize = 64;

/// Pieces that are decoded at a time.
const WINDOW_PIECES: usize = 512;

/// Consecutive row groups of a file.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Place of the file in the scan.
    pub(crate) file: usize,
    /// Rows of the file before the first of the piece.
    pub(crate) first_row: u64,
    /// A Parquet file of these row groups.
    pub(crate) image: Buffer<u8>,
    /// The rows of that file that are meant, where not all are: first row and number.
    pub(crate) part: Option<(i64, IdxSize)>,
}

/// Consecutive pieces that are decoded together.
pub(crate) type Window = Vec<Piece>;

/// What is read of files that are read alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Columns that the plans read.
    pub(crate) columns: BTreeSet<String>,
    /// Bounds on times of the files, of each plan.
    pub(crate) bounds: Vec<Vec<TimeBound>>,
}

/// Reads files of the scan in order and hands over windows of them, until `take` says that no more is wanted (false). There is at
/// least one window, which may hold no row. `reading` says what is read of each group of files.
pub(crate) fn read(
    scan: &Scan,
    files: Range<usize>,
    reading: &[Reading],
    side: Side,
    take: &mut dyn FnMut(Window) -> Result<bool, EngineError>,
) -> Result<(), EngineError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Window>(0);
        let read = scope.spawn(move || {
            let is_shared = reading.iter().any(|of_group| of_group.bounds.len() > 1);
            let reader = Reader {
                scan,
                side,
                window_bytes: if is_shared {
                    SHARED_WINDOW_BYTES
                } else {
                    WINDOW_BYTES
                },
                group: 0,
                last: (0, 0),
                parts: 0,
                sender,
                window: Window::new(),
                bytes: 0,
                decoded: 0,
                sent: false,
            };
            reader.read(files, reading)
        });
        for window in receiver {
            let mut files: Vec<usize> = window.iter().map(|piece| piece.file).collect();
            files.dedup();
            let _reading: Vec<_> = files.into_iter().map(|file| is_read(scan, file)).collect();
            if !take(window)? {
                break;
            }
        }
        let stopped = |_| EngineError::internal("the reader of a source stopped".to_owned());
        read.join().map_err(stopped)?
    })
}

/// Records that the file at this place of the scan is being read.
fn is_read(scan: &Scan, place: usize) -> activity::Reading {
    let file = scan.origins.get(place).or_else(|| scan.files.get(place));
    activity::reading(&scan.source, file.map_or(Path::new(""), PathBuf::as_path))
}

struct Reader<'a> {
    scan: &'a Scan,
    side: Side,
    window_bytes: u64,
    /// The group whose files are being read.
    group: usize,
    /// Group and file of the last piece, and the parts of the window.
    last: (usize, usize),
    parts: usize,
    sender: SyncSender<Window>,
    window: Window,
    /// Bytes of the window as the files hold them.
    bytes: u64,
    /// Bytes that its rows take once decoded.
    decoded: u64,
    sent: bool,
}

/// An error if rows would need more than the memory limit.
fn allow(what: &str, bytes: u64) -> Result<(), Fault> {
    let limit = LIMIT.load(Ordering::Relaxed);
    let needed = bytes.saturating_add(PROGRAM_BYTES);
    if needed <= limit {
        return Ok(());
    }
    Err(Fault::TooLarge(what.to_owned(), needed, limit))
}

/// No receiver takes windows any more.
struct Closed;

/// Why a file was not read to its end.
enum Stop {
    Closed,
    Fault(Fault),
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Reader<'_> {
    fn read(mut self, files: Range<usize>, reading: &[Reading]) -> Result<(), EngineError> {
        let mut begins = 0;
        for (number, (group, reading)) in self.scan.groups.iter().zip(reading).enumerate() {
            self.group = number;
            let ends = begins + group.files;
            for file in begins.max(files.start)..ends.min(files.end) {
                let path = &self.scan.files[file];
                match self.file(file, path, reading) {
                    Ok(()) => {}
                    Err(Stop::Closed) => return Ok(()),
                    Err(Stop::Fault(fault)) => {
                        return Err(EngineError::of_lake_file(self.scan, path, fault));
                    }
                }
            }
            begins = ends;
        }
        if !self.window.is_empty() {
            // It is not an error if the receiver has ended.
            let _ = self.send();
        }
        Ok(())
    }

    fn file(&mut self, number: usize, path: &Path, reading: &Reading) -> Result<(), Stop> {
        let _reading = is_read(self.scan, number);
        let mut file = LakeFile::open(path, self.scan.stamps.get(number))?;
        let read = self.groups(number, &mut file, reading);
        if let Err(Stop::Fault(Fault::Damaged(_))) = &read {
            // What is damaged may be half written.
            file.unchanged()?;
        }
        read
    }

    fn groups(
        &mut self,
        number: usize,
        file: &mut LakeFile,
        reading: &Reading,
    ) -> Result<(), Stop> {
        let (bytes, start) = footer::bytes(file)?;
        if let Some(known) = self.scan.footers.get(number)
            && *known != footer::digest(&bytes)
        {
            return Err(Fault::Changed("it has another footer".to_owned()).into());
        }
        let footer = Footer::read(&bytes, start)?;
        let leaves = image::wanted(&footer, &reading.columns);
        let most = most_decoded();
        let groups = footer.groups();
        let mut next = 0;
        let mut first_row = 0;
        while next < groups.len() {
            let start = next;
            let (mut size, mut held) = (Size::default(), 0_u64);
            while next < groups.len()
                && some_may_hold(&footer, groups[next], &reading.bounds, self.side)
            {
                let with = size.plus(Size::of(&footer, groups[next], &leaves)?);
                let is_large = with.packed > self.window_bytes || with.unpacked > most;
                if is_large && next > start {
                    break;
                }
                size = with;
                held = held.saturating_add(rows(groups[next])?);
                next += 1;
            }
            if next > start {
                allow("a row group", size.packed)?;
                let image = image::make(file, &footer, start..next, &leaves, most)?;
                file.unchanged()?;
                self.add_parts((number, first_row), image, size.packed)?;
                first_row = first_row.saturating_add(held);
            } else {
                first_row = first_row.saturating_add(rows(groups[next])?);
                next += 1;
            }
        }
        if !self.sent && self.window.is_empty() {
            let none = image::make(file, &footer, 0..0, &leaves, most)?;
            self.add_parts((number, 0), none, 0)?;
        }
        Ok(())
    }

    /// Adds an image as one piece, or its parts as one window each.
    fn add_parts(
        &mut self,
        (file, first_row): (usize, u64),
        image: Image,
        bytes: u64,
    ) -> Result<(), Stop> {
        let Image {
            bytes: image,
            parts,
        } = image;
        let image = Buffer::from_vec(image);
        if parts.rows.len() <= 1 && parts.most_bytes <= DECODED_BYTES {
            let beyond = self.bytes + bytes > self.window_bytes
                || self.decoded + parts.most_bytes > most_decoded();
            if beyond {
                self.send()?;
            }
            self.bytes += bytes;
            self.decoded += parts.most_bytes;
            return Ok(self.add((file, first_row), image, None)?);
        }
        let held = image.len() as u64;
        allow(
            "a part of a row group",
            held.saturating_add(parts.most_bytes),
        )?;
        for rows in parts.rows {
            let (Ok(start), Ok(length)) = (
                i64::try_from(rows.start),
                IdxSize::try_from(rows.end - rows.start),
            ) else {
                return Err(Fault::Damaged("it has too many rows".to_owned()).into());
            };
            self.send()?;
            let place = (file, first_row.saturating_add(rows.start));
            self.add(place, image.clone(), Some((start, length)))?;
            self.send()?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        (file, first_row): (usize, u64),
        image: Buffer<u8>,
        part: Option<(i64, IdxSize)>,
    ) -> Result<(), Closed> {
        let values = |file: usize| self.scan.path_values.get(file);
        let (group, last) = self.last;
        let continues = !self.window.is_empty()
            && group == self.group
            && (file == last || values(file) == values(last));
        self.parts += usize::from(!continues);
        self.last = (self.group, file);
        self.window.push(Piece {
            file,
            first_row,
            image,
            part,
        });
        let is_full = self.bytes >= self.window_bytes
            || self.window.len() >= WINDOW_PIECES
            || self.parts >= WINDOW_PARTS;
        if is_full {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Closed> {
        self.bytes = 0;
        self.decoded = 0;
        self.parts = 0;
        if self.window.is_empty() {
            return Ok(());
        }
        self.sent = true;
        let window = std::mem::take(&mut self.window);
        self.sender.send(window).map_err(|_| Closed)
    }
}
