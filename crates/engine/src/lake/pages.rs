//! The pages of a column chunk: checks that their headers are consistent with the chunk and one another, and their checksums.

use std::ops::Range;

use super::footer::field::column;
use super::thrift::Struct;

/// Numbers of the fields of `PageHeader`.
pub(super) mod page {
    pub(crate) const KIND: i16 = 1;
    pub(crate) const UNCOMPRESSED: i16 = 2;
    pub(crate) const COMPRESSED: i16 = 3;
    pub(crate) const CHECKSUM: i16 = 4;
    pub(crate) const DATA: i16 = 5;
    pub(crate) const DICTIONARY: i16 = 7;
    pub(crate) const DATA_V2: i16 = 8;
}

/// Number of the field that states how many values a page has, in the header of each kind.
const VALUES: i16 = 1;

/// Number of the field that states whether a page of the second version is compressed.
pub(super) const IS_COMPRESSED: i16 = 7;

/// Bytes of the levels before the values of a page of the second version.
pub(super) fn levels(data: &Struct<'_>) -> i64 {
    const LEVELS: [i16; 2] = [5, 6];
    LEVELS.iter().filter_map(|level| data.int(*level)).sum()
}

/// A page, as its header describes it.
#[derive(Debug)]
pub(super) struct Page {
    /// Values that it holds.
    pub(super) values: u64,
    /// Bytes that it takes once unpacked.
    pub(super) unpacked: u64,
    /// How its values are written.
    pub(super) encoding: i64,
    /// Where in the chunk its content lies.
    pub(super) body: Range<usize>,
    /// Bytes of levels before the values, where the header states them.
    pub(super) levels: Option<i64>,
    /// Its values are compressed, where the column is.
    pub(super) is_packed: bool,
}

/// The pages of a chunk that has passed all checks.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) dictionary: Option<Page>,
    /// Pages of data, in order.
    pub(super) pages: Vec<Page>,
}

/// Checks the pages of a chunk of a flat column with this many rows. The error is what is wrong, of the column.
pub(super) fn check(meta: &Struct<'_>, rows: u64, chunk: &[u8]) -> Result<Chunk, String> {
    let stated = meta.int(column::VALUES).unwrap_or(0).unsigned_abs();
    if stated != rows {
        return Err(format!(
            "has {stated} values, but its row group has {rows} rows"
        ));
    }
    let mut rest = chunk;
    let mut values = 0_u64;
    let mut found = Chunk::default();
    while values < stated {
        if rest.is_empty() {
            return Err(format!("has {values} values in its pages, not {stated}"));
        }
        let header = Struct::take(&mut rest)
            .ok_or_else(|| "has a page whose header is damaged".to_owned())?;
        let length = header.int(page::COMPRESSED);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let Some((bytes, after)) = length.and_then(|length| rest.split_at_checked(length)) else {
            return Err("has a page that ends outside the column".to_owned());
        };
        rest = after;
        let end = chunk.len() - rest.len();
        let unpacked = unpacked(meta, &header, bytes.len())?;
        if let Some(stated) = header.int(page::CHECKSUM)
            && i64::from(crc32fast::hash(bytes).cast_signed()) != stated
        {
            return Err("has a page whose checksum does not match its bytes".to_owned());
        }
        let first = found.dictionary.is_none() && found.pages.is_empty();
        let held = held(&header, first)?;
        values = values.saturating_add(held);
        let body = end - bytes.len()..end;
        found.add(&header, held, unpacked, body);
    }
    if values != stated {
        return Err(format!("has {values} values in its pages, not {stated}"));
    }
    Ok(found)
}

impl Chunk {
    /// Adds a page of data or of a dictionary that holds so many values.
    fn add(&mut self, header: &Struct<'_>, values: u64, unpacked: u64, body: Range<usize>) {
        const ENCODING: i16 = 2;
        const ENCODING_V2: i16 = 4;
        let of = |kind: i16, number: i16| header.structure(kind).and_then(|of| of.int(number));
        let v2 = header.structure(page::DATA_V2);
        let dictionary = of(page::DICTIONARY, VALUES);
        let encoding = of(page::DATA, ENCODING).or_else(|| of(page::DATA_V2, ENCODING_V2));
        let page = Page {
            values,
            unpacked,
            encoding: encoding.unwrap_or(0),
            body,
            levels: v2.map(levels),
            is_packed: v2.and_then(|data| data.bool(IS_COMPRESSED)) != Some(false),
        };
        match header.int(page::KIND) {
            Some(0 | 3) => self.pages.push(page),
            Some(2) => {
                let values = dictionary.map_or(0, i64::unsigned_abs);
                self.dictionary = Some(Page { values, ..page });
            }
            _ => {}
        }
    }
}

/// Values of a page of data; 0 of others.
fn held(header: &Struct<'_>, first: bool) -> Result<u64, String> {
    let of = |number: i16| header.structure(number).and_then(|of| of.int(VALUES));
    let values = match header.int(page::KIND) {
        Some(0) => of(page::DATA),
        Some(1) => return Ok(0),
        Some(2) => {
            if !first || of(page::DICTIONARY).is_none_or(|values| values < 0) {
                return Err("has a dictionary page in the wrong place".to_owned());
            }
            return Ok(0);
        }
        Some(3) => {
            if !header
                .structure(page::DATA_V2)
                .is_some_and(|data| is_consistent(header, data))
            {
                return Err("has a page whose header contradicts itself".to_owned());
            }
            of(page::DATA_V2)
        }
        _ => return Err("has a page of an unknown kind".to_owned()),
    };
    let values = values.and_then(|values| u64::try_from(values).ok());
    values.ok_or_else(|| "has a page with no number of values, or a negative number".to_owned())
}

/// Whether the header of a version 2 page of a flat column is consistent.
fn is_consistent(header: &Struct<'_>, data: &Struct<'_>) -> bool {
    const NULLS: i16 = 2;
    const ROWS: i16 = 3;
    const LEVELS: [i16; 2] = [5, 6];
    let (values, nulls, rows) = (data.int(VALUES), data.int(NULLS), data.int(ROWS));
    let levels = LEVELS.map(|level| data.int(level).unwrap_or(0));
    let size = header.int(page::COMPRESSED).unwrap_or(0);
    values == rows
        && nulls.is_some_and(|nulls| nulls >= 0 && Some(nulls) <= values)
        && levels.iter().all(|level| (0..=size).contains(level))
        && levels.iter().sum::<i64>() <= size
}

/// Bytes of a page once unpacked: the stated size must be possible for the compressed size.
fn unpacked(meta: &Struct<'_>, header: &Struct<'_>, compressed: usize) -> Result<u64, String> {
    /// Headers of streams, and windows of compressors.
    const SLACK: u64 = 1 << 17;
    let wrong = || Err("has a page of an impossible size".to_owned());
    let size = header.int(page::UNCOMPRESSED);
    let Some(size) = size.and_then(|size| u64::try_from(size).ok()) else {
        return wrong();
    };
    let data = header.structure(page::DATA_V2);
    let plain = data.and_then(|data| data.bool(IS_COMPRESSED)) == Some(false);
    // Largest expansion of a byte by the limits of each codec: none, Snappy, gzip, LZO, LZ4, Zstandard, raw LZ4.
    let expansion = match meta.int(column::CODEC) {
        _ if plain => 1,
        Some(0) => 1,
        Some(1) => 64,
        Some(2 | 3) => 1_100,
        Some(5 | 7) => 256,
        Some(6) => 1 << 16,
        _ => return Ok(size),
    };
    let slack = if expansion == 1 { 0 } else { SLACK };
    let most = (compressed as u64)
        .saturating_mul(expansion)
        .saturating_add(slack);
    if size > most {
        return wrong();
    }
    Ok(size)
}
