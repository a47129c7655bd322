//! Samples of customers by the hashes of their keys ([`tessera_expr::rel::Sample`]): the hash of a key is that of its text, also
//! where it is an integer.

use polars::prelude::*;
use tessera_expr::rel::SourceRows;
use xxhash_rust::xxh3::xxh3_64;

use crate::aggregate::key;
use crate::lower::unary;

/// The hash that decides whether a customer is drawn.
#[inline]
pub(crate) fn hash_of_bytes(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The same where keys are integers.
#[inline]
pub(crate) fn hash_of_integer(key: i64) -> u64 {
    hash_of_bytes(itoa::Buffer::new().format(key).as_bytes())
}

/// Whether `draws` holds for the hash of each row's key; not where the row has none.
pub(crate) fn drawn(
    rows: &SourceRows,
    draws: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> Expr {
    unary(key(rows), DataType::Boolean, move |keys| {
        let name = keys.name().clone();
        let drawn: BooleanChunked = match keys.dtype() {
            DataType::String => {
                let keys = keys.str()?.iter();
                keys.map(|key| key.is_some_and(|key| draws(hash_of_bytes(key.as_bytes()))))
                    .collect()
            }
            _ => {
                let keys = keys.strict_cast(&DataType::Int64)?;
                let keys = keys.i64()?.iter();
                keys.map(|key| key.is_some_and(|key| draws(hash_of_integer(key))))
                    .collect()
            }
        };
        Ok(drawn.with_name(name).into_series())
    })
}
