//! Windows of files, decoded for one plan or for several that read the same files.

use std::collections::BTreeSet;
use std::ops::Range;

use polars::prelude::*;
use polars_buffer::Buffer;
use polars_plan::plans::IR;
use tessera_expr::rel::{FileGroup, Scan, SourceRows};

use super::parquet::{parquet, stored_columns};
use super::visible::time_bounds;
use super::{ROW, held_by, stored_in};
use crate::column::col;
use crate::error::{EngineError, guarded};
use crate::lake::{self, Fault, How, Piece, Reading, Run, Side};

/// The parts of a window, consecutive pieces that are read alike, with their columns as the files hold them. There is at least one
/// part, which may be empty.
pub(super) type Decoded<'w> = Vec<(&'w [Piece], LazyFrame)>;

/// A plan over windows of files.
pub(super) struct Over<'p> {
    pub(super) rows: &'p SourceRows,
    pub(super) side: Side,
    pub(super) row_numbers: bool,
    /// The frame of a window.
    pub(super) make: &'p dyn Fn(Decoded<'_>) -> Result<LazyFrame, EngineError>,
}

impl Over<'_> {
    fn frame(&self, window: &[Piece]) -> Result<LazyFrame, EngineError> {
        (self.make)(decoded(&self.rows.scan, window, self.row_numbers)?)
    }
}

/// Reads what the plans need of the files and runs the frames of each window. A single plan decodes while it runs. The result are
/// the files that may have rows which bounds keep out of the first plan; `None` where not all files were read.
pub(super) fn windows(
    plans: &[Over<'_>],
    files: Range<usize>,
    run: &mut dyn FnMut(usize, LazyFrame) -> Result<bool, EngineError>,
) -> Result<Option<Vec<usize>>, EngineError> {
    let Some(first) = plans.first() else {
        return Ok(None);
    };
    let scan = &first.rows.scan;
    let mut reading: Vec<Reading> = Vec::with_capacity(scan.groups.len());
    // Where the form of a column differs from file to file, there are many groups of few forms.
    let mut known: Vec<(&FileGroup, usize)> = Vec::new();
    for (group, files_of_group) in places(&scan.groups) {
        let mut of_group = Reading::default();
        let alike = known.iter().find(|(form, _)| form.is_read_as(group));
        if let Some((_, number)) = alike {
            of_group = reading[*number].clone();
        } else if files_of_group.end > files.start && files_of_group.start < files.end {
            known.push((group, reading.len()));
            let none = Run {
                file: files_of_group.start,
                first_row: 0,
                rows: 0,
            };
            let nothing = Piece {
                runs: vec![none],
                image: Buffer::new(),
                part: None,
            };
            let named = stored_columns(&stored_in(scan, group).0);
            of_group.named = named.iter_names().map(ToString::to_string).collect();
            for plan in plans {
                let frame = plan.frame(std::slice::from_ref(&nothing))?;
                of_group.columns.extend(columns_read(frame)?);
                of_group
                    .bounds
                    .push(time_bounds(&held_by(plan.rows, group).0));
            }
        }
        reading.push(of_group);
    }
    let how = How {
        side: first.side,
        joins: !first.row_numbers,
    };
    lake::read(scan, files, &reading, how, &mut |window| {
        for window in portions(scan, &window, first.row_numbers) {
            EngineError::go_on()?;
            let shared = if plans.len() > 1 || is_of_small_files(window) && !first.row_numbers {
                let held = guarded(|| held(scan, window, &reading));
                Some(held.map_err(|error| blame(first, window, error))?)
            } else {
                None
            };
            for (number, plan) in plans.iter().enumerate() {
                let made = match &shared {
                    Some(frames) => (plan.make)(frames.clone())?,
                    None => plan.frame(window)?,
                };
                let wanted = guarded(|| run(number, made));
                if !wanted.map_err(|error| blame(plan, window, error))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    })
}

/// Parts of a window that are one plan at most: the work to make a plan grows faster than its parts.
const MOST_PARTS: usize = 32;

/// A window as portions of no more than [`MOST_PARTS`] parts. There is at least one.
fn portions<'w>(scan: &Scan, window: &'w [Piece], row_numbers: bool) -> Vec<&'w [Piece]> {
    let mut rest = window;
    let mut portions = Vec::new();
    for parts in parts(scan, window, row_numbers).chunks(MOST_PARTS) {
        let pieces = parts.iter().map(|part| part.len()).sum();
        let (portion, after) = rest.split_at(pieces);
        portions.push(portion);
        rest = after;
    }
    portions
}

/// Runs of row groups from which on a window may be one of small files, and most bytes of one of them on average.
const MANY_RUNS: usize = 16;
const SMALL_BYTES: usize = 32 << 10;

/// Whether a window is of many small files. A plan that decodes while it runs would evaluate its expressions for the few rows of each
/// of them.
fn is_of_small_files(window: &[Piece]) -> bool {
    let bytes: usize = window.iter().map(|piece| piece.image.len()).sum();
    let runs: usize = window.iter().map(|piece| piece.runs.len()).sum();
    runs >= MANY_RUNS && bytes / runs <= SMALL_BYTES
}

/// The parts of a window with the columns that some plan reads in memory; the others, which plans may name, are null.
fn held<'w>(
    scan: &Scan,
    window: &'w [Piece],
    reading: &[Reading],
) -> Result<Decoded<'w>, EngineError> {
    let hold = |(part, mut frame): (&'w [Piece], LazyFrame)| {
        let (group, _) = group_of(scan, part)?;
        let read = reading.get(group).map(|reading| &reading.columns);
        let is_read = |name: &str| read.is_some_and(|read| read.contains(name));
        let schema = frame.collect_schema()?;
        let (kept, others): (Vec<_>, Vec<_>) =
            schema.iter().partition(|(name, _)| is_read(name.as_str()));
        let kept = kept.into_iter().map(|(name, _)| col(name.clone()));
        let held = frame.select(kept.collect::<Vec<_>>());
        let mut held = held.collect_with_engine(Engine::Streaming)?.unwrap_single();
        if is_of_small_files(part) {
            held.rechunk_mut();
        }
        let others = others.into_iter().map(|(name, ty)| {
            let null = lit(NULL).cast(ty.clone());
            null.alias(name.clone())
        });
        let held = held.lazy().with_columns(others.collect::<Vec<_>>());
        Ok((part, held))
    };
    decoded(scan, window, false)?
        .into_iter()
        .map(hold)
        .collect()
}

/// The file of a window that cannot be decoded, found by decoding each alone.
fn blame(plan: &Over<'_>, window: &[Piece], error: EngineError) -> EngineError {
    let EngineError::Query(together) = error else {
        return error;
    };
    for piece in window.iter().flat_map(Piece::each) {
        let alone = guarded(|| {
            let frame = plan.frame(std::slice::from_ref(&piece))?;
            frame.collect_with_engine(Engine::Streaming)?;
            Ok(())
        });
        if let Err(cause) = alone {
            let reason = match cause {
                EngineError::Query(text) => text,
                other => other.to_string(),
            };
            let path = &plan.rows.scan.files[piece.file()];
            return EngineError::of_lake_file(&plan.rows.scan, path, Fault::Damaged(reason));
        }
    }
    EngineError::UnreadableSource {
        name: plan.rows.scan.source.clone(),
        reason: together,
    }
}

/// The columns of files that a plan reads.
fn columns_read(frame: LazyFrame) -> Result<BTreeSet<String>, EngineError> {
    let plan = frame.to_alp_optimized()?;
    let mut names = BTreeSet::new();
    let mut open = vec![plan.lp_top];
    while let Some(node) = open.pop() {
        let node = plan.lp_arena.get(node);
        if let IR::DataFrameScan {
            schema,
            output_schema,
            ..
        } = node
        {
            let read = output_schema.as_ref().unwrap_or(schema);
            names.extend(read.iter_names().map(ToString::to_string));
        }
        open.extend(node.inputs());
    }
    Ok(names)
}

/// The groups with the places of their files.
fn places(groups: &[FileGroup]) -> impl Iterator<Item = (&FileGroup, Range<usize>)> {
    groups.iter().scan(0, |begins, group| {
        let files = *begins..*begins + group.files;
        *begins = files.end;
        Some((group, files))
    })
}

/// The group of a part's files, with its number.
pub(super) fn group_of<'s>(
    scan: &'s Scan,
    part: &[Piece],
) -> Result<(usize, &'s FileGroup), EngineError> {
    let file = part.first().map_or(0, Piece::file);
    let mut groups = places(&scan.groups).enumerate();
    let found = groups.find(|(_, (_, files))| part.is_empty() || files.contains(&file));
    let found = found.map(|(number, (group, _))| (number, group));
    found.ok_or_else(|| EngineError::internal("a scan without files".to_owned()))
}

/// Consecutive pieces that are read alike. There is at least one part, which may be empty.
fn parts<'w>(scan: &Scan, window: &'w [Piece], row_numbers: bool) -> Vec<&'w [Piece]> {
    let group = |piece: &Piece| {
        let mut groups = places(&scan.groups);
        groups.position(|(_, files)| files.contains(&piece.file()))
    };
    let alike = |a: &Piece, b: &Piece| {
        !row_numbers
            && a.part.is_none()
            && b.part.is_none()
            && group(a) == group(b)
            && scan.path_values.get(a.file()) == scan.path_values.get(b.file())
    };
    let mut parts: Vec<&[Piece]> = window.chunk_by(alike).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    parts
}

pub(super) fn decoded<'w>(
    scan: &Scan,
    window: &'w [Piece],
    row_numbers: bool,
) -> Result<Decoded<'w>, EngineError> {
    let decode = |part: &'w [Piece]| Ok((part, as_stored_by(scan, part, row_numbers)?));
    let parts = parts(scan, window, row_numbers).into_iter();
    parts.map(decode).collect()
}

/// The rows of a part with their columns as the files hold them.
fn as_stored_by(scan: &Scan, part: &[Piece], row_numbers: bool) -> Result<LazyFrame, EngineError> {
    let (_, group) = group_of(scan, part)?;
    // A piece without bytes stands for a file that is not read.
    let images = part.iter().map(|piece| &piece.image);
    let images = images.filter(|image| !image.is_empty()).cloned().collect();
    let mut frame = parquet(&stored_in(scan, group).0, images, group.has_gaps)?;
    // A part of an image is alone. Pages beyond it are not unpacked.
    if let Some((start, rows)) = part.first().and_then(|piece| piece.part) {
        frame = frame.slice(start, rows);
    }
    if row_numbers {
        let first = part.first().and_then(|piece| piece.runs.first());
        let first = IdxSize::try_from(first.map_or(0, |run| run.first_row))
            .map_err(|_| EngineError::internal("a file has more than 2^32 rows".to_owned()))?;
        frame = frame.with_row_index(ROW, Some(first));
    }
    Ok(frame)
}
