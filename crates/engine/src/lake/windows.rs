//! The files of a scan in windows of bounded size; the next window is read while the previous one is decoded.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use polars::prelude::IdxSize;
use polars_buffer::Buffer;
use tessera_expr::rel::Scan;
use tessera_spec::activity;

use super::Fault;
use super::file::LakeFile;
use super::footer::{self, Footer, rows};
use super::head::Head;
use super::image::{self, Image, Size};
use super::prune::{TimeBound, some_may_hold};
use super::side::Side;
use super::unpacked::Parts;
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

/// Runs of row groups that are decoded at a time.
const WINDOW_RUNS: u64 = 512;

/// Of the first window, nothing can be decoded while it is read: it has this share of the bytes and runs of others.
const FIRST_SHARE: u64 = 8;

/// Most bytes of row groups that go into one image with those of the file before, as the file holds them.
const JOINED_BYTES: u64 = 256 << 10;

/// The same once decoded.
const JOINED_DECODED_BYTES: u64 = 4 << 20;

/// Most bytes of an image to which row groups are added: it may be copied to make room.
const JOINED_INTO_BYTES: usize = 16 << 20;

/// Consecutive row groups of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Place of the file in the scan.
    pub(crate) file: usize,
    /// Rows of the file before the first of them.
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
}

/// Row groups that are decoded together.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Where they come from, in order.
    pub(crate) runs: Vec<Run>,
    /// A Parquet file of these row groups.
    pub(crate) image: Buffer<u8>,
    /// The rows of that file that are meant, where not all are: first row and number.
    pub(crate) part: Option<(i64, IdxSize)>,
}

impl Piece {
    /// Place of the first file in the scan.
    pub(crate) fn file(&self) -> usize {
        self.runs.first().map_or(0, |run| run.file)
    }

    /// A piece for each run.
    pub(crate) fn each(&self) -> Vec<Self> {
        if self.runs.len() == 1 {
            return vec![self.clone()];
        }
        let mut start = self.part.map_or(0, |(start, _)| start);
        let of_run = |run: &Run| {
            let part = (start, IdxSize::try_from(run.rows).unwrap_or(IdxSize::MAX));
            start = start.saturating_add_unsigned(run.rows);
            Self {
                runs: vec![*run],
                image: self.image.clone(),
                part: Some(part),
            }
        };
        self.runs.iter().map(of_run).collect()
    }
}

/// Consecutive pieces that are decoded together.
pub(crate) type Window = Vec<Piece>;

/// How the files of a scan are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) side: Side,
    /// Row groups of several files may be in one piece.
    pub(crate) joins: bool,
}

/// What is read of files that are read alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Columns that the plans read.
    pub(crate) columns: BTreeSet<String>,
    /// Columns that the plans name. Of no other does anything matter but its place in the files.
    pub(crate) named: BTreeSet<String>,
    /// Bounds on times of the files, of each plan.
    pub(crate) bounds: Vec<Vec<TimeBound>>,
}

/// Reads files of the scan in order and hands over windows of them, until `take` says that no more is wanted (false). There is at
/// least one window, which may hold no row. `reading` says what is read of each group of files. The result are the files, in
/// order, that may have rows which the bounds of the first plan keep out; `None` where not all files were read.
pub(crate) fn read(
    scan: &Scan,
    files: Range<usize>,
    reading: &[Reading],
    how: How,
    take: &mut dyn FnMut(Window) -> Result<bool, EngineError>,
) -> Result<Option<Vec<usize>>, EngineError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Window>(0);
        let read = scope.spawn(move || {
            let is_shared = reading.iter().any(|of_group| of_group.bounds.len() > 1);
            let reader = Reader {
                scan,
                how,
                window_bytes: if is_shared {
                    SHARED_WINDOW_BYTES
                } else {
                    WINDOW_BYTES
                },
                group: 0,
                last: (0, 0),
                parts: 0,
                runs: 0,
                head: None,
                open: None,
                sender,
                window: Window::new(),
                bytes: 0,
                decoded: 0,
                sent: false,
                hiding: Vec::new(),
            };
            reader.read(files, reading)
        });
        for window in receiver {
            let runs = window.iter().flat_map(|piece| &piece.runs);
            let mut files: Vec<usize> = runs.map(|run| run.file).collect();
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
    how: How,
    window_bytes: u64,
    /// The group whose files are being read.
    group: usize,
    /// Group and file of the last run, and the parts and runs of the window.
    last: (usize, usize),
    parts: usize,
    runs: u64,
    /// Of the last file.
    head: Option<Arc<Head>>,
    /// The last piece of the window, to which row groups can be added.
    open: Option<Open>,
    sender: SyncSender<Window>,
    window: Window,
    /// Bytes of the window as the files hold them.
    bytes: u64,
    /// Bytes that its rows take once decoded.
    decoded: u64,
    sent: bool,
    /// Files that may have rows which the bounds of the first plan keep out.
    hiding: Vec<usize>,
}

/// A piece that is being made.
struct Open {
    image: Image,
    runs: Vec<Run>,
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
    fn read(
        mut self,
        files: Range<usize>,
        reading: &[Reading],
    ) -> Result<Option<Vec<usize>>, EngineError> {
        let mut begins = 0;
        for (number, (group, reading)) in self.scan.groups.iter().zip(reading).enumerate() {
            self.group = number;
            let ends = begins + group.files;
            for file in begins.max(files.start)..ends.min(files.end) {
                let path = &self.scan.files[file];
                match self.file(file, path, reading) {
                    Ok(()) => {}
                    Err(Stop::Closed) => return Ok(None),
                    Err(Stop::Fault(fault)) => {
                        return Err(EngineError::of_lake_file(self.scan, path, fault));
                    }
                }
            }
            begins = ends;
        }
        // It is not an error if the receiver has ended.
        let _ = self.send();
        Ok(Some(self.hiding))
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
        let head = Head::of(&footer, &reading.named, self.head.as_ref())?;
        self.head = Some(head.clone());
        let leaves = image::wanted(&footer, &reading.columns);
        let most = most_decoded();
        let groups = footer.groups();
        let first = reading.bounds.get(..1).unwrap_or_default();
        let mut all = groups.iter();
        if all.any(|group| some_may_hold(&footer, group, first, Side::Outside)) {
            self.hiding.push(number);
        }
        let mut next = 0;
        let mut first_row = 0;
        while next < groups.len() {
            let start = next;
            let (mut size, mut held) = (Size::default(), 0_u64);
            while next < groups.len()
                && some_may_hold(&footer, groups[next], &reading.bounds, self.how.side)
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
                let run = Run {
                    file: number,
                    first_row,
                    rows: held,
                };
                let leaves = leaves.as_slice();
                self.add((file, &footer, &head), (start..next, leaves), run, size)?;
                first_row = first_row.saturating_add(held);
            } else {
                first_row = first_row.saturating_add(rows(groups[next])?);
                next += 1;
            }
        }
        if !self.sent && self.window.is_empty() && self.open.is_none() {
            let none = Run {
                file: number,
                first_row: 0,
                rows: 0,
            };
            self.add(
                (file, &footer, &head),
                (0..0, &leaves),
                none,
                Size::default(),
            )?;
        }
        Ok(())
    }

    /// Adds these row groups of a file, of which `leaves` are read, as one piece, into the piece before, or its parts as one window
    /// each.
    fn add(
        &mut self,
        (file, footer, head): (&mut LakeFile, &Footer<'_>, &Arc<Head>),
        (groups, leaves): (Range<usize>, &[usize]),
        run: Run,
        size: Size,
    ) -> Result<(), Stop> {
        let packed = size.packed;
        allow("a row group", packed)?;
        let is_small =
            self.how.joins && packed <= JOINED_BYTES && size.unpacked <= JOINED_DECODED_BYTES;
        let joins = |open: &Open| {
            is_small
                && open.image.len() <= JOINED_INTO_BYTES
                && self.is_alike(run.file)
                && open.image.takes(head)
        };
        if !self.open.as_ref().is_some_and(joins) {
            self.close();
        }
        let mut open = self.open.take().unwrap_or_else(|| Open {
            image: Image::new(head.clone()),
            runs: Vec::new(),
        });
        let before = open.image.rows;
        let most = most_decoded();
        let parts = open
            .image
            .add(file, footer, groups, leaves, (packed, is_small, most))?;
        file.unchanged()?;
        let share = if self.sent { 1 } else { FIRST_SHARE };
        let window_bytes = self.window_bytes / share;
        let beyond =
            self.bytes + packed > window_bytes || self.decoded + parts.most_bytes > most_decoded();
        let has_others = !open.runs.is_empty();
        let is_little = parts.most_bytes <= JOINED_DECODED_BYTES;
        let is_whole = parts.rows.len() <= 1 && parts.most_bytes <= DECODED_BYTES;
        if !is_whole || has_others && beyond && !is_little {
            return self.add_parts(open, run, (before, parts));
        }
        if beyond && !has_others {
            self.send()?;
        }
        self.parts += usize::from(self.runs == 0 || !self.is_alike(run.file));
        self.last = (self.group, run.file);
        self.runs += 1;
        self.bytes += packed;
        self.decoded += parts.most_bytes;
        open.runs.push(run);
        self.open = Some(open);
        let is_full = self.bytes >= window_bytes
            || self.decoded >= most_decoded()
            || self.runs >= WINDOW_RUNS / share
            || self.parts >= WINDOW_PARTS;
        if is_full {
            self.send()?;
        }
        Ok(())
    }

    /// Adds the parts of a run as one window each, behind the `before` rows of the image that are of others.
    fn add_parts(
        &mut self,
        open: Open,
        run: Run,
        (before, parts): (u64, Parts),
    ) -> Result<(), Stop> {
        self.send()?;
        let Open { image, runs } = open;
        let image = image.finish();
        let mut add = |runs: Vec<Run>, rows: Range<u64>| -> Result<(), Stop> {
            let (Ok(start), Ok(length)) = (
                i64::try_from(rows.start),
                IdxSize::try_from(rows.end - rows.start),
            ) else {
                return Err(Fault::Damaged("it has too many rows".to_owned()).into());
            };
            self.window.push(Piece {
                runs,
                image: image.clone(),
                part: Some((start, length)),
            });
            Ok(self.send()?)
        };
        if !runs.is_empty() {
            add(runs, 0..before)?;
        }
        let held = image.len() as u64;
        allow(
            "a part of a row group",
            held.saturating_add(parts.most_bytes),
        )?;
        for rows in parts.rows {
            let of_part = Run {
                first_row: run.first_row.saturating_add(rows.start),
                rows: rows.end - rows.start,
                ..run
            };
            add(vec![of_part], before + rows.start..before + rows.end)?;
        }
        Ok(())
    }

    /// Whether the file is read as the last one was.
    fn is_alike(&self, file: usize) -> bool {
        let values = |file: usize| self.scan.path_values.get(file);
        let (group, last) = self.last;
        group == self.group && (file == last || values(file) == values(last))
    }

    /// Ends the last piece.
    fn close(&mut self) {
        if let Some(Open { image, runs }) = self.open.take() {
            self.window.push(Piece {
                runs,
                image: image.finish(),
                part: None,
            });
        }
    }

    fn send(&mut self) -> Result<(), Closed> {
        self.close();
        self.bytes = 0;
        self.decoded = 0;
        self.parts = 0;
        self.runs = 0;
        if self.window.is_empty() {
            return Ok(());
        }
        self.sent = true;
        let window = std::mem::take(&mut self.window);
        self.sender.send(window).map_err(|_| Closed)
    }
}
