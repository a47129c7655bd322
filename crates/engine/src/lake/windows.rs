//! The files of a scan in windows of bounded size, the next of which is read while the last is decoded.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use polars_buffer::Buffer;
use tessera_expr::rel::Scan;

use super::Fault;
use super::file::LakeFile;
use super::footer::{self, Footer, rows};
use super::image;
use super::prune::{TimeBound, may_hold};
use crate::error::EngineError;

/// Bytes, as the files hold them, that are decoded at a time; a row group that has more is read alone.
const WINDOW_BYTES: u64 = 64 << 20;

/// Pieces that are decoded at a time: each is a part of the plan.
const WINDOW_PIECES: usize = 64;

/// Which rows of files a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// All but those that bounds on the files' own columns keep out.
    Inside,
    /// Those.
    Outside,
}

/// Consecutive row groups of a file.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Place of the file in the scan.
    pub(crate) file: usize,
    /// Rows of the file before the first of the piece.
    pub(crate) first_row: u64,
    /// A Parquet file of these row groups.
    pub(crate) image: Buffer<u8>,
}

/// Consecutive pieces that are decoded together.
pub(crate) type Window = Vec<Piece>;

/// What is read of files that are read alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Columns that the plan reads.
    pub(crate) columns: BTreeSet<String>,
    /// Bounds on times of the files.
    pub(crate) bounds: Vec<TimeBound>,
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
            let reader = Reader {
                scan,
                side,
                sender,
                window: Window::new(),
                bytes: 0,
                sent: false,
            };
            reader.read(files, reading)
        });
        for window in receiver {
            if !take(window)? {
                break;
            }
        }
        let stopped = |_| EngineError::internal("the reader of a source stopped".to_owned());
        read.join().map_err(stopped)?
    })
}

struct Reader<'a> {
    scan: &'a Scan,
    side: Side,
    sender: SyncSender<Window>,
    window: Window,
    bytes: u64,
    sent: bool,
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
        for (group, reading) in self.scan.groups.iter().zip(reading) {
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
            // It is no fault if the receiver has ended.
            let _ = self.send();
        }
        Ok(())
    }

    fn file(&mut self, number: usize, path: &Path, reading: &Reading) -> Result<(), Stop> {
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
        let groups = footer.groups();
        let mut next = 0;
        let mut first_row = 0;
        while next < groups.len() {
            let start = next;
            let (mut bytes, mut held) = (0, 0);
            while next < groups.len() && may_hold(&footer, groups[next], &reading.bounds, self.side)
            {
                let more = image::bytes(&footer, groups[next], &leaves)?;
                if bytes + more > WINDOW_BYTES && next > start {
                    break;
                }
                bytes += more;
                held += rows(groups[next])?;
                next += 1;
            }
            if next > start {
                if self.bytes + bytes > WINDOW_BYTES {
                    self.send()?;
                }
                let image = image::make(file, &footer, start..next, &leaves)?;
                file.unchanged()?;
                self.add(number, first_row, image, bytes)?;
                first_row += held;
            } else {
                first_row += rows(groups[next])?;
                next += 1;
            }
        }
        if !self.sent && self.window.is_empty() {
            let none = image::make(file, &footer, 0..0, &leaves)?;
            self.add(number, 0, none, 0)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        file: usize,
        first_row: u64,
        image: Vec<u8>,
        bytes: u64,
    ) -> Result<(), Closed> {
        let image = Buffer::from_vec(image);
        self.window.push(Piece {
            file,
            first_row,
            image,
        });
        self.bytes += bytes;
        if self.bytes >= WINDOW_BYTES || self.window.len() >= WINDOW_PIECES {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Closed> {
        self.bytes = 0;
        if self.window.is_empty() {
            return Ok(());
        }
        self.sent = true;
        let window = std::mem::take(&mut self.window);
        self.sender.send(window).map_err(|_| Closed)
    }
}
