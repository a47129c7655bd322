//! The group of a customer, by the names of the experiment and of the customer alone.

/// FNV-1a of 32 bits over the UTF-16 units of a text, as GrowthBook's JavaScript does it: of ASCII the same as over bytes.
fn fnv1a32(text: impl Iterator<Item = u16>) -> u32 {
    text.fold(0x811c_9dc5, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    })
}

/// Place of a customer in [0, 1), a multiple of 1/10,000: GrowthBook's hash, version 2, which is the FNV-1a hash of the decimal
/// text of the FNV-1a hash of `seed` and `id`. So a website that uses GrowthBook with the same seed shows the same variant.
pub fn bucket(seed: &str, id: &str) -> f64 {
    let first = fnv1a32(seed.encode_utf16().chain(id.encode_utf16()));
    let second = fnv1a32(first.to_string().encode_utf16());
    f64::from(second % 10_000) / 10_000.0
}

/// The variant whose share of [0, 1) holds the place, in order of the shares; none beyond their sum.
pub fn variant_of(place: f64, shares: &[f64]) -> Option<usize> {
    let mut end = 0.0;
    shares.iter().position(|share| {
        let start = end;
        end += share;
        start <= place && place < end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_growthbook_hash_version_2() {
        // packages/sdk-js/test/cases.json of growthbook/growthbook, `hash` with version 2, and the buckets of its sticky cases.
        for (seed, id, want) in [
            ("seed", "a", 0.0505),
            ("seed", "b", 0.2696),
            ("foo", "ab", 0.2575),
            ("foo", "def", 0.2019),
            ("89123klj", "8952klfjas09ujkasdf", 0.124),
            ("90850943850283058242805", "123", 0.7516),
            ("()**(%$##$%#$#", "___)((*\":&", 0.0128),
            ("feature", "123", 0.5231),
            ("feature-exp", "d123", 0.6468),
            ("feature-exp", "i123", 0.9943),
        ] {
            assert_eq!(bucket(seed, id), want, "{seed} {id}");
        }
    }

    #[test]
    fn variants_are_those_of_growthbook_bucket_ranges() {
        // The same file, `getBucketRange` with full coverage and `chooseVariation`.
        for (shares, starts) in [
            (&[0.5, 0.5][..], &[0.0, 0.5][..]),
            (&[0.25; 4], &[0.0, 0.25, 0.5, 0.75]),
            (&[0.4, 0.6], &[0.0, 0.4]),
            (&[0.2, 0.3, 0.5], &[0.0, 0.2, 0.5]),
        ] {
            for (variant, start) in starts.iter().enumerate() {
                assert_eq!(variant_of(*start, shares), Some(variant), "{shares:?}");
                let below = variant.checked_sub(1);
                assert_eq!(variant_of(start - 1e-9, shares), below, "{shares:?}");
            }
            assert_eq!(variant_of(0.9999, shares), Some(shares.len() - 1));
        }
        assert_eq!(variant_of(0.5, &[0.5, 0.0, 0.5]), Some(2), "zero range");
        assert_eq!(variant_of(0.9999, &[0.4, 0.5999]), None);
        assert_eq!(variant_of(0.3, &[0.1, 0.1]), None);
        assert_eq!(variant_of(0.0, &[]), None);
    }

    #[test]
    fn every_place_has_one_variant_where_the_shares_fill_the_whole() {
        for shares in [
            &[0.7, 0.2, 0.1][..],
            &[0.1; 10],
            &[1.0 / 3.0; 3],
            &[0.05, 0.95],
        ] {
            for place in 0..10_000 {
                let place = f64::from(place) / 10_000.0;
                assert!(variant_of(place, shares).is_some(), "{shares:?} {place}");
            }
        }
    }

    #[test]
    fn two_experiments_are_independent() {
        // 20,000 customers in two halves of two experiments: the table of both has one degree of freedom.
        let mut counts = [[0.0_f64; 2]; 2];
        for customer in 0..20_000 {
            let id = format!("C{customer}");
            let halves = ["winback_mail", "winback_call"].map(|seed| bucket(seed, &id) >= 0.5);
            counts[usize::from(halves[0])][usize::from(halves[1])] += 1.0;
        }
        let total = 20_000.0;
        let mut chi = 0.0;
        for (row, columns) in counts.iter().enumerate() {
            for (column, count) in columns.iter().enumerate() {
                let rows: f64 = counts[row].iter().sum();
                let columns: f64 = counts.iter().map(|c| c[column]).sum();
                let expected = rows * columns / total;
                chi += (count - expected) * (count - expected) / expected;
            }
        }
        let p = crate::special::chi_squared_above(chi, 1.0);
        assert!(p > 0.001, "{counts:?} p = {p}");
    }
}
