//! Page checksums: the CRC-32 that the Parquet format provides for in every page header, and that the `parquet` crate
//! verifies when it reads but leaves out when it writes.
//!
//! The crate hands every encoded page to a [`PageStore`] before the column chunk goes to the file: first its header, then its
//! data. [`Ledger`] is that store. It adds the checksum to the header, keeps the pages, and afterwards corrects the sizes and
//! offsets that the crate recorded, since every header has become longer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};

/// Thrift's compact protocol: a 32-bit integer whose field number is one above that of the field before it.
const NEXT_I32: u8 = 0x15;

/// `DICTIONARY_PAGE` of Parquet's `PageType` (2) as a zigzag number, second byte of a header.
const DICTIONARY: u8 = 2 << 1;

/// The pages of the column chunks of one row group.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    columns: Mutex<Vec<Arc<Mutex<Pages>>>>,
}

impl Ledger {
    /// The pages of each column since the last call, in the order in which the column writers were made.
    pub(crate) fn take(&self) -> Vec<Arc<Mutex<Pages>>> {
        std::mem::take(&mut *held(&self.columns))
    }
}

impl PageStoreFactory for Ledger {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let pages = Arc::new(Mutex::new(Pages::default()));
        held(&self.columns).push(pages.clone());
        Ok(Box::new(Column { pages }))
    }
}

/// The pages of one column chunk, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// A header whose data has not been received yet.
    header: Option<Bytes>,
    dictionary: Vec<u8>,
    data: Vec<u8>,
    /// Size of every data page with its header.
    sizes: Vec<usize>,
    /// By how much the headers have grown.
    growth: usize,
}

impl Pages {
    fn put(&mut self, blob: Bytes) -> Result<()> {
        let Some(header) = self.header.take() else {
            self.header = Some(blob);
            return Ok(());
        };
        let summed = with_checksum(&header, crc32fast::hash(&blob)).ok_or_else(|| {
            ParquetError::General("a page header of an unknown layout".to_owned())
        })?;
        self.growth += summed.len() - header.len();
        let target = if header.get(1) == Some(&DICTIONARY) {
            &mut self.dictionary
        } else {
            self.sizes.push(summed.len() + blob.len());
            &mut self.data
        };
        target.extend_from_slice(&summed);
        target.extend_from_slice(&blob);
        Ok(())
    }

    /// The bytes of the chunk, and the crate's record of it with corrected sizes.
    pub(crate) fn seal(&mut self, noted: &ColumnCloseResult) -> Result<(Bytes, ColumnCloseResult)> {
        let mut noted = noted.clone();
        let dictionary = self.dictionary.len();
        let mut chunk = std::mem::take(&mut self.dictionary);
        chunk.append(&mut self.data);
        noted.bytes_written = chunk.len() as u64;
        noted.metadata = {
            let uncompressed = noted.metadata.uncompressed_size() + self.growth as i64;
            let builder = noted.metadata.into_builder();
            builder
                .set_total_compressed_size(chunk.len() as i64)
                .set_total_uncompressed_size(uncompressed)
                .build()?
        };
        if let Some(index) = noted.offset_index.as_mut() {
            if index.page_locations.len() != self.sizes.len() {
                return Err(ParquetError::General(format!(
                    "{} pages came, {} were noted",
                    self.sizes.len(),
                    index.page_locations.len()
                )));
            }
            let mut offset = 0;
            for (location, &size) in index.page_locations.iter_mut().zip(&self.sizes) {
                location.offset = offset;
                location.compressed_page_size = i32::try_from(size)
                    .map_err(|_| ParquetError::General(format!("a page of {size} bytes")))?;
                offset += size as i64;
            }
        }
        Ok((
            Bytes::from(chunk),
            noted.update_dictionary_location(dictionary)?,
        ))
    }
}

struct Column {
    pages: Arc<Mutex<Pages>>,
}

impl PageStore for Column {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        held(&self.pages).put(value)?;
        Ok(PageKey::new(0))
    }

    fn take(&mut self, _: PageKey) -> Result<Bytes> {
        Err(ParquetError::General(
            "pages with checksums are taken as a whole".to_owned(),
        ))
    }

    fn memory_size(&self) -> usize {
        let pages = held(&self.pages);
        pages.dictionary.len() + pages.data.len()
    }
}

/// A page header with the field `crc` (4, after type and the two sizes). Unchanged where the crate wrote it already.
fn with_checksum(header: &[u8], crc: u32) -> Option<Vec<u8>> {
    let mut at = 0;
    for _ in 0..3 {
        if *header.get(at)? != NEXT_I32 {
            return None;
        }
        at += 1;
        while header.get(at)? & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    let next = *header.get(at)?;
    if next == NEXT_I32 {
        return Some(header.to_vec());
    }
    // The next field encodes its number as the difference from the field before, which is now smaller by one.
    if next >> 4 < 2 {
        return None;
    }
    let mut summed = Vec::with_capacity(header.len() + 6);
    summed.extend_from_slice(&header[..at]);
    summed.push(NEXT_I32);
    let signed = crc as i32;
    let mut zigzag = ((signed << 1) ^ (signed >> 31)) as u32;
    while zigzag >= 0x80 {
        summed.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    summed.push(zigzag as u8);
    summed.push(next - 0x10);
    summed.extend_from_slice(&header[at + 1..]);
    Some(summed)
}

/// Locks a mutex, also a poisoned one: if a writer panicked, the run has failed and its pages are not used.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_goes_between_the_sizes_and_the_page_kind() {
        // type 0, uncompressed 300, compressed 5, then field 5 (a struct).
        let header = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x0a, 0x2c, 0x15, 0x02, 0x00, 0x00,
        ];
        let summed = with_checksum(&header, 1).unwrap();
        assert_eq!(
            summed,
            [
                0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x0a, 0x15, 0x02, 0x1c, 0x15, 0x02, 0x00, 0x00
            ]
        );
        assert_eq!(
            with_checksum(&summed, 7).unwrap(),
            summed,
            "a header that has one keeps it"
        );
        let negative = with_checksum(&header, u32::MAX).unwrap();
        assert_eq!(negative[7..10], [0x15, 0x01, 0x1c], "-1 is 1 in zigzag");
    }

    #[test]
    fn unknown_layouts_are_refused() {
        for header in [
            &[][..],
            &[0x15],
            &[0x16, 0x00],
            &[0x15, 0x00, 0x15, 0x80],
            &[0x15, 0, 0x15, 2, 0x15, 2, 0x00],
        ] {
            assert_eq!(with_checksum(header, 1), None);
        }
    }
}
