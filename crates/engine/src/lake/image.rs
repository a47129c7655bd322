//! Parquet files in memory that hold some row groups and columns of a file of the lake.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Fault;
use super::file::LakeFile;
use super::footer::field::{chunk, column, file as fields, group as group_fields};
use super::footer::{Footer, described, dictionary, name, rows};
use super::pages;
use super::thrift::{Struct, Value};
use super::unpacked::{self, Parts, Span};

/// The leaf columns that these columns of a file consist of.
pub(super) fn wanted(footer: &Footer<'_>, names: &BTreeSet<String>) -> Vec<usize> {
    let ranges = names
        .iter()
        .filter_map(|name| footer.leaves.get(name.as_bytes()));
    let mut leaves: Vec<usize> = ranges.cloned().flatten().collect();
    leaves.sort_unstable();
    leaves
}

/// What these leaf columns of a row group are stated to take.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Size {
    /// Bytes as the file holds them.
    pub(super) packed: u64,
    /// Bytes of their pages once unpacked.
    pub(super) unpacked: u64,
}

impl Size {
    pub(super) fn of<'a>(
        footer: &Footer<'a>,
        group: &Struct<'a>,
        leaves: &[usize],
    ) -> Result<Self, Fault> {
        let mut size = Self::default();
        for leaf in leaves {
            let range = footer.pages(group, *leaf)?;
            let (_, meta) = described(group, *leaf)?;
            let unpacked = meta.int(column::UNCOMPRESSED).unwrap_or(0).unsigned_abs();
            size = size.plus(Self {
                packed: range.end - range.start,
                unpacked,
            });
        }
        Ok(size)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            packed: self.packed.saturating_add(other.packed),
            unpacked: self.unpacked.saturating_add(other.unpacked),
        }
    }
}

/// A Parquet file in memory, and the rows of it that are decoded at a time.
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    pub(super) parts: Parts,
}

/// Reads these leaf columns of consecutive row groups and checks their pages. The image has the schema of the file; what was not
/// read has no pages. Its rows are divided into parts that take no more than `most` bytes each, where that can be.
pub(super) fn make(
    file: &mut LakeFile,
    footer: &Footer<'_>,
    groups: Range<usize>,
    leaves: &[usize],
    most: u64,
) -> Result<Image, Fault> {
    let all = footer.groups();
    let elements = footer.leaf_elements();
    let wanted = all.get(groups.clone()).unwrap_or_default();
    let mut size = 0_u64;
    for group in wanted {
        size = size.saturating_add(Size::of(footer, group, leaves)?.packed);
    }
    let mut image = Vec::new();
    let room = usize::try_from(size).map_err(|_| "it is too large".to_owned())?;
    image.try_reserve(room).map_err(|_| {
        format!("{size} bytes of it must be read at once, more than the available memory")
    })?;
    image.extend_from_slice(b"PAR1");
    let mut made = Vec::with_capacity(wanted.len());
    let mut held = 0;
    let mut spans: Vec<Span> = Vec::new();
    for (number, group) in groups.zip(wanted) {
        let mut copy = (*group).clone();
        let columns = copy.list_mut(group_fields::COLUMNS);
        for (leaf, copied) in columns.into_iter().flatten().enumerate() {
            let start = image.len();
            let range = if leaves.binary_search(&leaf).is_ok() {
                let range = footer.pages(group, leaf)?;
                file.read(range.start, range.end - range.start, &mut image)?;
                let (_, meta) = described(group, leaf)?;
                let pages = &image[start..];
                let chunk = pages::check(meta, rows(group)?, pages).map_err(|what| {
                    format!("column `{}` of row group {number} {what}", name(meta))
                })?;
                let element = elements.get(leaf).copied();
                let chunk = (&chunk, pages);
                spans.extend(unpacked::spans((leaf, held), meta, element, chunk, most));
                Some(range).filter(|range| !range.is_empty())
            } else {
                None
            };
            place(copied, range, start);
        }
        made.push(Value::Struct(copy));
        held += rows(group)?;
    }
    let parts = unpacked::parts(held, elements.len(), spans, most);
    let mut tree = footer.head.clone();
    tree.set(fields::ROWS, held.cast_signed());
    if let Some(groups) = tree.list_mut(fields::ROW_GROUPS) {
        *groups = made;
    }
    let start = image.len();
    tree.write(&mut image);
    let length = u32::try_from(image.len() - start);
    let length = length.map_err(|_| "its footer is too large".to_owned())?;
    image.extend_from_slice(&length.to_le_bytes());
    image.extend_from_slice(b"PAR1");
    Ok(Image {
        bytes: image,
        parts,
    })
}

/// States where a column of the image lies: pages that were read from `range` of the file begin at `start`.
fn place(copied: &mut Value<'_>, range: Option<Range<u64>>, start: usize) {
    let Some(chunk) = copied.as_struct_mut() else {
        return;
    };
    chunk.set(chunk::FILE_OFFSET, 0);
    chunk::ELSEWHERE
        .iter()
        .for_each(|field| chunk.remove(*field));
    let Some(meta) = chunk.structure_mut(chunk::COLUMN) else {
        return;
    };
    column::ELSEWHERE
        .iter()
        .for_each(|field| meta.remove(*field));
    let start = start as i64;
    match range {
        Some(range) => {
            let moved = start - range.start.cast_signed();
            let data = meta.int(column::DATA_PAGE).unwrap_or(0);
            match dictionary(meta) {
                Some(dictionary) => meta.set(column::DICTIONARY_PAGE, dictionary + moved),
                None => meta.remove(column::DICTIONARY_PAGE),
            }
            meta.set(column::DATA_PAGE, data + moved);
        }
        None => {
            meta.remove(column::STATISTICS);
            meta.remove(column::DICTIONARY_PAGE);
            meta.set(column::COMPRESSED, 0);
            meta.set(column::DATA_PAGE, start);
        }
    }
}
