//! Parquet files in memory that hold some row groups and columns of a file of the lake.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Fault;
use super::file::LakeFile;
use super::footer::field::{chunk, column, file as fields, group as group_fields};
use super::footer::{Footer, described, dictionary, name, rows};
use super::pages;
use super::thrift::{Struct, Value};

/// The leaf columns that these columns of a file consist of.
pub(super) fn wanted(footer: &Footer<'_>, names: &BTreeSet<String>) -> Vec<usize> {
    let ranges = names
        .iter()
        .filter_map(|name| footer.leaves.get(name.as_bytes()));
    let mut leaves: Vec<usize> = ranges.cloned().flatten().collect();
    leaves.sort_unstable();
    leaves
}

/// Bytes of these leaf columns in a row group.
pub(super) fn bytes<'a>(
    footer: &Footer<'a>,
    group: &Struct<'a>,
    leaves: &[usize],
) -> Result<u64, Fault> {
    let mut bytes = 0;
    for leaf in leaves {
        let range = footer.pages(group, *leaf)?;
        bytes += range.end - range.start;
    }
    Ok(bytes)
}

/// Reads these leaf columns of consecutive row groups and checks their pages. The image has the schema of the file; what was not
/// read has no pages.
pub(super) fn make(
    file: &mut LakeFile,
    footer: &Footer<'_>,
    groups: Range<usize>,
    leaves: &[usize],
) -> Result<Vec<u8>, Fault> {
    let all = footer.groups();
    let wanted = all.get(groups.clone()).unwrap_or_default();
    let mut size = 0;
    for group in wanted {
        size += bytes(footer, group, leaves)?;
    }
    let mut image = Vec::new();
    let room = usize::try_from(size).map_err(|_| "it is too large".to_owned())?;
    image.try_reserve(room).map_err(|_| {
        format!("{size} bytes of it must be read at once, more than the available memory")
    })?;
    image.extend_from_slice(b"PAR1");
    let mut made = Vec::with_capacity(wanted.len());
    let mut held = 0;
    for (number, group) in groups.zip(wanted) {
        held += rows(group)?;
        let mut copy = (*group).clone();
        let columns = copy.list_mut(group_fields::COLUMNS);
        for (leaf, copied) in columns.into_iter().flatten().enumerate() {
            let start = image.len();
            let range = if leaves.binary_search(&leaf).is_ok() {
                let range = footer.pages(group, leaf)?;
                file.read(range.start, range.end - range.start, &mut image)?;
                let (_, meta) = described(group, leaf)?;
                pages::check(meta, rows(group)?, &image[start..]).map_err(|what| {
                    format!("column `{}` of row group {number} {what}", name(meta))
                })?;
                Some(range).filter(|range| !range.is_empty())
            } else {
                None
            };
            place(copied, range, start);
        }
        made.push(Value::Struct(copy));
    }
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
    Ok(image)
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
