//! Column chunks whose pages are written again without compression. To unpack the pages of many small files with one state of the
//! decompressor takes less time than to make such a state for each of their columns.

use polars_parquet::parquet::compression::DecompressionContext;

use super::footer::field::column;
use super::pages::{self, page};
use super::thrift::Struct;
use super::unpacked::unpack_into;

/// The codec of Zstandard, whose state takes longest to make.
const ZSTANDARD: i64 = 6;

/// Whether the pages of a column should be written again.
pub(super) fn is_worth_it(meta: &Struct<'_>) -> bool {
    meta.int(column::CODEC) == Some(ZSTANDARD)
}

/// Writes the pages of a chunk without compression; how many bytes of them are a dictionary. `None`, and nothing useful written, where
/// they cannot be unpacked: who decodes them says why.
pub(super) fn write(
    mut chunk: &[u8],
    context: &mut DecompressionContext,
    to: &mut Vec<u8>,
) -> Option<usize> {
    const DICTIONARY: i64 = 2;
    let start = to.len();
    let mut dictionary = 0;
    while !chunk.is_empty() {
        let mut header = Struct::take(&mut chunk)?;
        let packed = usize::try_from(header.int(page::COMPRESSED)?).ok()?;
        let unpacked = usize::try_from(header.int(page::UNCOMPRESSED)?).ok()?;
        let (body, rest) = chunk.split_at_checked(packed)?;
        chunk = rest;
        let data = header.structure(page::DATA_V2);
        let levels = data.map_or(0, pages::levels);
        let (levels, values) = body.split_at_checked(usize::try_from(levels).ok()?)?;
        let is_packed = data.and_then(|data| data.bool(pages::IS_COMPRESSED)) != Some(false);
        header.set_small(page::COMPRESSED, i32::try_from(unpacked).ok()?);
        header.remove(page::CHECKSUM);
        if let Some(data) = header.structure_mut(page::DATA_V2) {
            data.set_bool(pages::IS_COMPRESSED, false);
        }
        header.write(to);
        to.extend_from_slice(levels);
        if is_packed {
            let size = unpacked.checked_sub(levels.len())?;
            unpack_into((ZSTANDARD, context), values, size, to)?;
        } else {
            to.extend_from_slice(values);
        }
        if header.int(page::KIND) == Some(DICTIONARY) {
            dictionary = to.len() - start;
        }
    }
    Some(dictionary)
}
