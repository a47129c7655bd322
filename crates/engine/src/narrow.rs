//! Files that have rows of interest among many that have none. To read a file alone is a plan of its own, whose making takes longer
//! than to read a small file: small files are looked at together first, and alone only where something was seen.

use std::ops::Range;
use std::path::PathBuf;

use crate::error::EngineError;

/// Files that are looked at together at first, and at most while nothing is found.
const FIRST_FILES: usize = 64;
const MOST_FILES: usize = 4_096;

/// Most bytes of files that are looked at together, since a part of them is read again.
const MOST_BYTES: u64 = 32 << 20;

/// Fewer files than these are read alone at once.
const LEAST_FILES: usize = 4;

/// Something that looks for rows in files.
pub(crate) trait Narrowing {
    /// Counts the rows of interest in these files; where there are none, the files are done.
    fn look(&mut self, files: Range<usize>) -> Result<u64, EngineError>;

    /// Reads a file alone; false where no more is wanted.
    fn take(&mut self, file: usize) -> Result<bool, EngineError>;
}

/// Goes through the files in order.
pub(crate) fn each_file(
    files: &[PathBuf],
    narrowing: &mut dyn Narrowing,
) -> Result<(), EngineError> {
    let (mut next, mut most) = (0, FIRST_FILES);
    while next < files.len() {
        let together = together(&files[next..], most);
        let range = next..next + together;
        next = range.end;
        let few = match range.len() < LEAST_FILES {
            true => Some(range),
            false => {
                let found = narrowing.look(range.clone())?;
                most = if found == 0 { most * 2 } else { FIRST_FILES }.min(MOST_FILES);
                if found > 0 && !narrowed(range, found, narrowing)? {
                    return Ok(());
                }
                None
            }
        };
        for file in few.into_iter().flatten() {
            if !narrowing.take(file)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The same for files in which so many rows were found; false where no more is wanted.
fn narrowed(
    files: Range<usize>,
    found: u64,
    narrowing: &mut dyn Narrowing,
) -> Result<bool, EngineError> {
    let is_dense = found >= (files.len() / LEAST_FILES) as u64;
    if is_dense || files.len() < LEAST_FILES {
        for file in files {
            if !narrowing.take(file)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let middle = files.start + files.len() / 2;
    for half in [files.start..middle, middle..files.end] {
        let found = narrowing.look(half.clone())?;
        if found > 0 && !narrowed(half, found, narrowing)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many of the next files are looked at together.
fn together(files: &[PathBuf], most: usize) -> usize {
    let mut bytes = 0_u64;
    let small = files.iter().take(most).take_while(|file| {
        let size = std::fs::metadata(file).map_or(u64::MAX, |meta| meta.len());
        bytes = bytes.saturating_add(size);
        bytes <= MOST_BYTES
    });
    small.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of interest in each file.
    struct Rows {
        held: Vec<u64>,
        looks: usize,
        taken: Vec<usize>,
        wanted: usize,
    }

    impl Narrowing for Rows {
        fn look(&mut self, files: Range<usize>) -> Result<u64, EngineError> {
            self.looks += 1;
            Ok(self.held[files].iter().sum())
        }

        fn take(&mut self, file: usize) -> Result<bool, EngineError> {
            self.taken.push(file);
            let found = self.taken.iter().filter(|file| self.held[**file] > 0);
            Ok(found.count() < self.wanted)
        }
    }

    fn run(held: Vec<u64>, wanted: usize) -> Rows {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small");
        std::fs::write(&file, "x").unwrap();
        let files = vec![file; held.len()];
        let mut rows = Rows {
            held,
            looks: 0,
            taken: Vec::new(),
            wanted,
        };
        each_file(&files, &mut rows).unwrap();
        rows
    }

    #[test]
    fn every_file_with_rows_is_taken_in_order_and_hardly_any_other() {
        for with in [vec![], vec![0], vec![7, 2_999], vec![63, 64, 65, 1_500]] {
            let mut held = vec![0; 3_000];
            with.iter().for_each(|file: &usize| held[*file] = 1);
            let rows = run(held, usize::MAX);
            let found = rows.taken.iter().filter(|file| with.contains(file));
            assert_eq!(found.copied().collect::<Vec<_>>(), with);
            assert!(rows.taken.is_sorted());
            let alone = rows.taken.len();
            assert!(alone <= 4 * with.len(), "{with:?}: {alone} files");
            assert!(rows.looks < 80, "{with:?}: {} looks", rows.looks);
        }
    }

    #[test]
    fn files_that_all_have_rows_are_taken_until_enough_is_found() {
        let rows = run(vec![1; 1_000], 100);
        assert_eq!(rows.taken, (0..100).collect::<Vec<_>>());
        assert!(rows.looks <= 2, "{} looks", rows.looks);
        let rows = run(vec![1; 3], 100);
        assert_eq!((rows.taken.len(), rows.looks), (3, 0));
    }
}
