//! How much memory the rows of a column take once they are decoded, and ranges of rows that take no more than is allowed.
//!
//! A few bytes can stand for very much: runs of zeros, pages that compress well, texts that begin with all of the one before. What a
//! column takes is known from the headers of its pages, before anything is decoded. Texts of a dictionary are in memory once,
//! whatever number of rows point to them; [`crate::repeats`] keeps it so.

use std::ops::Range;

use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};

use super::footer::field::{column, element};
use super::pages::{Chunk, Page};
use super::thrift::Struct;

/// What a text takes beside its bytes: its length, its beginning, its place.
const VIEW_BYTES: u64 = 16;

/// What a number takes at most, of the types that are no decimals.
const NUMBER_BYTES: u64 = 8;

/// Consecutive rows of a column that are alike in what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// First row.
    pub(super) start: u64,
    /// Number of the column.
    pub(super) leaf: usize,
    /// Bytes that any of the rows takes, however few: the page and the dictionary.
    pub(super) fixed: u64,
    /// Bytes of each row.
    pub(super) each: u64,
}

/// Encodings of pages, by their numbers.
mod encoding {
    pub(super) const PLAIN_DICTIONARY: i64 = 2;
    pub(super) const DELTA_BYTE_ARRAY: i64 = 7;
    pub(super) const RLE_DICTIONARY: i64 = 8;
}

/// Physical types whose values have bytes of their own, by their numbers.
const BYTE_ARRAY: i64 = 6;
const FIXED_LEN_BYTE_ARRAY: i64 = 7;

/// The spans of a chunk whose first row is `start`. A page that takes more than `most` is not looked at: it is too large whatever it
/// holds.
pub(super) fn spans(
    (leaf, start): (usize, u64),
    meta: &Struct<'_>,
    declared: Option<&Struct<'_>>,
    (chunk, bytes): (&Chunk, &[u8]),
    most: u64,
) -> Vec<Span> {
    let kind = meta.int(column::TYPE).unwrap_or(BYTE_ARRAY);
    let codec = meta.int(column::CODEC).unwrap_or(0);
    let has_bytes = kind == BYTE_ARRAY || kind == FIXED_LEN_BYTE_ARRAY;
    let dictionary_bytes = chunk.dictionary.as_ref().map_or(0, |page| page.unpacked);
    let copied = match &chunk.dictionary {
        Some(page) if kind == FIXED_LEN_BYTE_ARRAY => page.unpacked / page.values.max(1),
        _ => 0,
    };
    let mut spans = Vec::with_capacity(chunk.pages.len());
    let mut row = start;
    for page in &chunk.pages {
        let is_coded = matches!(
            page.encoding,
            encoding::PLAIN_DICTIONARY | encoding::RLE_DICTIONARY
        );
        let repeated = match page.encoding {
            encoding::DELTA_BYTE_ARRAY if page.unpacked <= most => {
                repeated(codec, declared, page, bytes).unwrap_or_else(|| {
                    // Each value may begin with all of the one before.
                    page.unpacked.saturating_mul(page.values)
                })
            }
            encoding::DELTA_BYTE_ARRAY => page.unpacked.saturating_mul(page.values),
            _ => 0,
        };
        let each = match (has_bytes, is_coded) {
            (false, _) => NUMBER_BYTES,
            (true, true) => VIEW_BYTES + copied,
            (true, false) => VIEW_BYTES + repeated / page.values.max(1),
        };
        let dictionary_bytes = if is_coded { dictionary_bytes } else { 0 };
        spans.push(Span {
            start: row,
            leaf,
            fixed: page.unpacked.saturating_add(dictionary_bytes),
            each,
        });
        row += page.values;
    }
    spans
}

/// Bytes that the values of a page repeat of the values before them.
fn repeated(codec: i64, declared: Option<&Struct<'_>>, page: &Page, chunk: &[u8]) -> Option<u64> {
    const REQUIRED: i64 = 0;
    let body = chunk.get(page.body.clone())?;
    let levels = usize::try_from(page.levels.unwrap_or(0)).ok()?;
    let packed = body.get(levels..)?;
    let values = if page.is_packed {
        unpack(codec, packed, page.unpacked.checked_sub(levels as u64)?)?
    } else {
        packed.to_vec()
    };
    let mut rest = values.as_slice();
    if page.levels.is_none() && declared?.int(element::REPETITION) != Some(REQUIRED) {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(u32::from_le_bytes(*length) as usize..)?;
    }
    delta_sum(&mut rest, page.values)
}

/// Sum of at most `most` numbers that are written as the differences between them.
fn delta_sum(bytes: &mut &[u8], most: u64) -> Option<u64> {
    let block = varint(bytes)?;
    let blocks = varint(bytes)?;
    let count = varint(bytes)?;
    let mut last = unzigzag(varint(bytes)?);
    if blocks == 0 || block % blocks != 0 || (block / blocks) % 8 != 0 || count > most {
        return None;
    }
    let per_block = block / blocks;
    let mut sum = if count > 0 {
        u64::try_from(last).ok()?
    } else {
        0
    };
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let least = unzigzag(varint(bytes)?);
        let (widths, after) = bytes.split_at_checked(usize::try_from(blocks).ok()?)?;
        *bytes = after;
        for width in widths {
            if left == 0 {
                break;
            }
            let size = usize::try_from(per_block / 8 * u64::from(*width)).ok()?;
            let (packed, after) = bytes.split_at_checked(size)?;
            *bytes = after;
            for number in 0..per_block.min(left) {
                let delta = bits(packed, number, *width)?;
                last = last.wrapping_add(least).wrapping_add(delta.cast_signed());
                sum = sum.checked_add(u64::try_from(last).ok()?)?;
            }
            left -= per_block.min(left);
        }
    }
    Some(sum)
}

/// The `number`-th of numbers of so many bits each.
fn bits(packed: &[u8], number: u64, width: u8) -> Option<u64> {
    if width == 0 {
        return Some(0);
    }
    if width > 64 {
        return None;
    }
    let first = number * u64::from(width);
    let at = usize::try_from(first / 8).ok()?;
    let mut found = [0; 16];
    let part = packed.get(at..packed.len().min(at + found.len()))?;
    found[..part.len()].copy_from_slice(part);
    let shifted = u128::from_le_bytes(found) >> (first % 8);
    Some((shifted as u64) & (u64::MAX >> (64 - width)))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = bytes.split_first()?;
        *bytes = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// The bytes of a page; none where they cannot be had.
fn unpack(codec: i64, packed: &[u8], unpacked: u64) -> Option<Vec<u8>> {
    let size = usize::try_from(unpacked).ok()?;
    let mut bytes = Vec::new();
    let codec = (codec, &mut DecompressionContext::Unset);
    unpack_into(codec, packed, size, &mut bytes)?;
    Some(bytes)
}

/// Appends the bytes of a page, which are so many; none where they cannot be had.
pub(super) fn unpack_into(
    (codec, context): (i64, &mut DecompressionContext),
    packed: &[u8],
    size: usize,
    to: &mut Vec<u8>,
) -> Option<()> {
    let codec = match codec {
        0 => {
            to.extend_from_slice(packed);
            return Some(());
        }
        1 => Compression::Snappy,
        2 => Compression::Gzip,
        4 => Compression::Brotli,
        5 => Compression::Lz4,
        6 => Compression::Zstd,
        7 => Compression::Lz4Raw,
        _ => return None,
    };
    let start = to.len();
    to.try_reserve(size).ok()?;
    to.resize(start + size, 0);
    decompress(codec, packed, &mut to[start..], context).ok()
}

/// Rows that are decoded at a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) rows: Vec<Range<u64>>,
    /// What the part that takes most takes.
    pub(super) most_bytes: u64,
}

/// Divides rows into parts that take no more than `limit` each, unless fewer rows than one or the pages alone take more.
pub(super) fn parts(rows: u64, columns: usize, mut spans: Vec<Span>, limit: u64) -> Parts {
    spans.sort_by_key(|span| span.start);
    let mut current = vec![(0, 0); columns];
    let (mut fixed, mut each) = (0_u64, 0_u64);
    let mut parts = Parts::default();
    let (mut start, mut row, mut cost) = (0, 0, 0_u64);
    let mut next = 0;
    while row < rows {
        while let Some(span) = spans.get(next).filter(|span| span.start <= row) {
            let (old_fixed, old_each) =
                std::mem::replace(&mut current[span.leaf], (span.fixed, span.each));
            fixed = fixed.saturating_sub(old_fixed).saturating_add(span.fixed);
            each = each.saturating_sub(old_each).saturating_add(span.each);
            if row > start {
                cost = cost.saturating_add(span.fixed);
            }
            next += 1;
        }
        if row == start {
            cost = fixed;
        }
        let end = spans.get(next).map_or(rows, |span| span.start.min(rows));
        // Pages that are large for their own sake are unpacked for as many rows as take the same again.
        let allowed = limit.max(fixed.saturating_mul(2));
        let fit = allowed.saturating_sub(cost) / each.max(1);
        let least = u64::from(row == start);
        let taken = fit.max(least).min(end - row);
        row += taken;
        cost = cost.saturating_add(taken.saturating_mul(each));
        if taken > 0 {
            parts.most_bytes = parts.most_bytes.max(cost);
        }
        if row < end || row == rows {
            parts.rows.push(start..row);
            start = row;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, leaf: usize, fixed: u64, each: u64) -> Span {
        Span {
            start,
            leaf,
            fixed,
            each,
        }
    }

    #[test]
    fn parts_take_no_more_than_their_limit_and_hold_every_row_once() {
        // Little: one part.
        let little = parts(100, 1, vec![span(0, 0, 10, 1)], 1_000);
        assert_eq!(little.rows.len(), 1);
        assert_eq!(little.rows[0], 0..100);
        assert_eq!(little.most_bytes, 110);
        // Two columns whose pages end at different rows.
        let spans = vec![
            span(0, 0, 100, 10),
            span(60, 0, 100, 10),
            span(0, 1, 50, 1),
            span(90, 1, 50, 100),
        ];
        let found = parts(100, 2, spans, 500);
        assert_eq!(found.rows.first().map(|part| part.start), Some(0));
        assert_eq!(found.rows.last().map(|part| part.end), Some(100));
        let gaps = found
            .rows
            .windows(2)
            .all(|pair| pair[0].end == pair[1].start);
        assert!(
            gaps && found.rows.iter().all(|part| !part.is_empty()),
            "{found:?}"
        );
        assert!(found.most_bytes <= 500 && found.rows.len() > 3, "{found:?}");
        // Rows that take more than the limit are taken one by one.
        let long = parts(3, 1, vec![span(0, 0, 0, 5_000)], 1_000);
        assert_eq!(
            (long.rows, long.most_bytes),
            (vec![0..1, 1..2, 2..3], 5_000)
        );
        // A page that takes more than the limit is unpacked for many rows at once.
        let page = parts(1_000, 1, vec![span(0, 0, 5_000, 10)], 1_000);
        assert_eq!((page.rows.len(), page.most_bytes), (2, 10_000));
        assert_eq!(parts(0, 0, Vec::new(), 1).rows, []);
    }

    #[test]
    fn differences_are_summed_as_the_format_writes_them() {
        // 0, 3, 6, ..., 21 in one block of 128 with 4 miniblocks: the differences are alike.
        let mut bytes: &[u8] = &[128, 1, 4, 8, 0, 6, 0, 0, 0, 0];
        assert_eq!(delta_sum(&mut bytes, 8), Some(84));
        // 7, 5, 3, 1, 2: differences of -2, -2, -2, 1, of 2 bits each above the least.
        let packed = [0b1100_0000, 0, 0, 0, 0, 0, 0, 0];
        let mut bytes = vec![128, 1, 4, 5, 14, 3, 2, 0, 0, 0];
        bytes.extend(packed);
        assert_eq!(delta_sum(&mut bytes.as_slice(), 5), Some(18));
        assert_eq!(
            delta_sum(&mut bytes.as_slice(), 4),
            None,
            "more than there are"
        );
        for end in 0..bytes.len() {
            assert_eq!(delta_sum(&mut &bytes[..end], 5), None, "{end}");
        }
    }
}
