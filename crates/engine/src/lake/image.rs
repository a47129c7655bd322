//! Parquet files in memory that hold some row groups and columns of files of the lake.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use polars_buffer::Buffer;
use polars_parquet::parquet::compression::DecompressionContext;

use super::Fault;
use super::file::LakeFile;
use super::footer::field::{chunk, column, group as group_fields};
use super::footer::{Footer, described, dictionary, name, rows};
use super::head::Head;
use super::pages;
use super::plain;
use super::thrift::{Struct, Value};
use super::unpacked::{self, Parts, Span};

/// How a Parquet file begins and ends.
const MAGIC: &[u8] = b"PAR1";

/// Most bytes of row groups in a footer, whose length has 32 bits.
const MOST_FOOTER_BYTES: usize = 2 << 30;

/// The leaf columns that these columns of a file consist of.
pub(super) fn wanted(footer: &Footer<'_>, names: &BTreeSet<String>) -> Vec<usize> {
    let ranges = names
        .iter()
        .filter_map(|name| footer.columns.get(name.as_bytes()));
    let mut leaves: Vec<usize> = ranges.flat_map(|place| place.leaves.clone()).collect();
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

/// A Parquet file in memory that is being made of row groups of files with the same head. It has the columns of the files that the
/// head names; what was not read of them has no pages.
pub(super) struct Image {
    head: Arc<Head>,
    bytes: Vec<u8>,
    /// The row groups as the footer has them, and their number.
    groups: Vec<u8>,
    count: usize,
    pub(super) rows: u64,
    context: DecompressionContext,
}

impl Image {
    pub(super) fn new(head: Arc<Head>) -> Self {
        Self {
            head,
            bytes: Vec::new(),
            groups: Vec::new(),
            count: 0,
            rows: 0,
            context: DecompressionContext::Unset,
        }
    }

    /// Bytes of the pages so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether row groups of a file with this head can be added.
    pub(super) fn takes(&self, head: &Arc<Head>) -> bool {
        Arc::ptr_eq(&self.head, head)
    }

    /// Reads these leaf columns of consecutive row groups, which have `packed` bytes, and checks their pages; where they are small, pages
    /// may be unpacked. Their rows, counted from the first of these groups, are divided into parts that take no more than `most` bytes
    /// each, where that can be.
    pub(super) fn add(
        &mut self,
        file: &mut LakeFile,
        footer: &Footer<'_>,
        groups: Range<usize>,
        leaves: &[usize],
        (packed, is_small, most): (u64, bool, u64),
    ) -> Result<Parts, Fault> {
        let head = self.head.clone();
        let all = footer.groups();
        let elements = footer.leaf_elements();
        let wanted = all.get(groups.clone()).unwrap_or_default();
        let room = usize::try_from(packed).map_err(|_| "it is too large".to_owned())?;
        self.bytes.try_reserve(room).map_err(|_| {
            format!("{packed} bytes of it must be read at once, more than the available memory")
        })?;
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(MAGIC);
        }
        let mut held = 0;
        let mut spans: Vec<Span> = Vec::new();
        for (number, group) in groups.zip(wanted) {
            let mut columns = Vec::with_capacity(head.leaves.len());
            for &leaf in &head.leaves {
                let start = self.bytes.len();
                let pages = if leaves.binary_search(&leaf).is_ok() {
                    let range = footer.pages(group, leaf)?;
                    file.read(range.start, range.end - range.start, &mut self.bytes)?;
                    let (_, meta) = described(group, leaf)?;
                    let pages = &self.bytes[start..];
                    let chunk = pages::check(meta, rows(group)?, pages).map_err(|what| {
                        format!("column `{}` of row group {number} {what}", name(meta))
                    })?;
                    let element = elements.get(leaf).copied();
                    let chunk = (&chunk, pages);
                    spans.extend(unpacked::spans((leaf, held), meta, element, chunk, most));
                    let kept = Some(range).filter(|range| !range.is_empty());
                    let is_plain = is_small && kept.is_some() && plain::is_worth_it(meta);
                    match is_plain.then(|| self.unpack(start)).flatten() {
                        Some(dictionary) => Pages::Unpacked(dictionary),
                        None => kept.map_or(Pages::None, Pages::AsRead),
                    }
                } else {
                    Pages::None
                };
                let (chunk, _) = described(group, leaf)?;
                let mut chunk = chunk.clone();
                place(&mut chunk, &pages, start..self.bytes.len());
                columns.push(chunk);
            }
            let mut copy = group.without(&OF_ALL_COLUMNS);
            copy.put(group_fields::COLUMNS, Value::structures(columns));
            copy.write(&mut self.groups);
            self.count += 1;
            held += rows(group)?;
        }
        self.rows = self.rows.saturating_add(held);
        if self.groups.len() > MOST_FOOTER_BYTES {
            return Err("its footer is too large".to_owned().into());
        }
        Ok(unpacked::parts(held, elements.len(), spans, most))
    }

    /// Writes the pages from `start` on without compression, if that can be; how many bytes of them are a dictionary.
    fn unpack(&mut self, start: usize) -> Option<usize> {
        let packed = self.bytes.split_off(start);
        let written = plain::write(&packed, &mut self.context, &mut self.bytes);
        if written.is_none() {
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(&packed);
        }
        written
    }

    /// The file.
    pub(super) fn finish(mut self) -> Buffer<u8> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(MAGIC);
        }
        let start = self.bytes.len();
        let groups = (self.count, self.groups.as_slice());
        self.head.write(self.rows, groups, &mut self.bytes);
        let length = self.bytes.len() - start;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(MAGIC);
        Buffer::from_vec(self.bytes)
    }
}

/// What an image has of a column.
enum Pages {
    /// Nothing.
    None,
    /// What was read from this range of the file.
    AsRead(Range<u64>),
    /// The same without compression, of which so many bytes are a dictionary.
    Unpacked(usize),
}

/// What a row group says of all its columns, of which an image may lack some, and of its place in a file.
const OF_ALL_COLUMNS: [i16; 3] = [
    group_fields::COLUMNS,
    group_fields::SORTED_BY,
    group_fields::ORDINAL,
];

/// States where in the image a column lies.
fn place(chunk: &mut Struct<'_>, pages: &Pages, at: Range<usize>) {
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
    let (start, length) = (at.start as i64, at.len() as i64);
    match pages {
        Pages::AsRead(range) => {
            let moved = start - range.start.cast_signed();
            let data = meta.int(column::DATA_PAGE).unwrap_or(0);
            match dictionary(meta) {
                Some(dictionary) => meta.set(column::DICTIONARY_PAGE, dictionary + moved),
                None => meta.remove(column::DICTIONARY_PAGE),
            }
            meta.set(column::DATA_PAGE, data + moved);
        }
        Pages::Unpacked(dictionary) => {
            const UNCOMPRESSED: i32 = 0;
            meta.set_small(column::CODEC, UNCOMPRESSED);
            meta.set(column::UNCOMPRESSED, length);
            meta.set(column::COMPRESSED, length);
            meta.remove(column::DICTIONARY_PAGE);
            if *dictionary > 0 {
                meta.set(column::DICTIONARY_PAGE, start);
            }
            meta.set(column::DATA_PAGE, start + *dictionary as i64);
        }
        Pages::None => {
            meta.remove(column::STATISTICS);
            meta.remove(column::DICTIONARY_PAGE);
            meta.set(column::COMPRESSED, 0);
            meta.set(column::DATA_PAGE, start);
        }
    }
}
