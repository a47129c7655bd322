//! Amounts of memory in arguments.

/// Smallest limit of a run; the program itself needs most of it.
const LEAST_BYTES: u64 = 128 << 20;

/// Reads a value of `--memory`: a number of bytes with a unit.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const EXAMPLE: &str = "expected a number with a unit, such as 2GiB, 512MiB or 1.5GB";
    const UNITS: [(&str, f64); 7] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
    ];
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.ok_or(EXAMPLE)?);
    let unit = unit.trim();
    let factor = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, factor)| factor)
        .ok_or(EXAMPLE)?;
    let number: f64 = number.parse().map_err(|_| EXAMPLE.to_owned())?;
    let bytes = number * factor;
    if bytes < LEAST_BYTES as f64 {
        return Err(format!("at least {}MiB are needed", LEAST_BYTES >> 20));
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("512 mib"), Ok(512 << 20));
        assert_eq!(parse("1.5GB"), Ok(1_500_000_000));
        for wrong in ["", "2", "2 parsecs", "GiB", "1.2.3GiB", "-1GiB", "75%"] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("2GiB"), "{wrong}: {error}");
        }
        assert!(parse("1MiB").unwrap_err().contains("128MiB"));
    }
}
