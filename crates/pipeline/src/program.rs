//! The source files that the program was built from, by path and hash: what an earlier program learned is learned again where the
//! files that learn it have changed.

use sha2::{Digest, Sha256};

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// What everything that is learned depends on: what features mean, and the numerical methods.
const LEARNED_BY_ALL: [&str; 7] = [
    "Cargo.lock",
    "crates/expr/src",
    "crates/features/src",
    "crates/model/src/matrix.rs",
    "crates/model/src/metrics",
    "crates/model/src/optimise.rs",
    "crates/model/src/special.rs",
];

/// sha256 over the files whose paths begin with one of these, and those that everything depends on.
pub(crate) fn hash_of(begins: &[&str]) -> String {
    let all = begins.iter().chain(&LEARNED_BY_ALL);
    let all: Vec<&&str> = all.collect();
    let mut hash = Sha256::new();
    for (path, digest) in SOURCES {
        if all.iter().any(|begin| path.starts_with(**begin)) {
            hash.update(format!("{path} {digest}\n"));
        }
    }
    let digits = hash.finalize();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kinds_say_of_their_files_is_there() {
        let kinds = tessera_segments::KINDS.iter();
        let of_schemes = kinds.filter_map(|kind| kind.learning).map(|one| one.files);
        let of_scores = crate::scores::KINDS.iter().map(|kind| kind.files);
        for files in of_schemes.chain(of_scores).chain([&LEARNED_BY_ALL[..]]) {
            for begin in files {
                let found = SOURCES.iter().any(|(path, _)| path.starts_with(begin));
                assert!(found, "no source begins with {begin}");
            }
        }
        assert_ne!(hash_of(&["crates/model/src/btyd"]), hash_of(&[]));
    }
}
