//! The published CDNOW calibration table (Fader, Hardie and Lee 2005, 39 weeks), reproduced for all 2,357 customers.

use crate::program::{public_data, run};
use crate::table::Table;

#[test]
fn repeat_occasions_t_x_and_tenure_are_those_of_the_published_calibration_table() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let (lake, store) = (
        format!("lake={}", data.display()),
        format!("out={}", out.path().display()),
    );
    run(
        &[
            "run",
            "pipelines/cdnow.toml",
            "--as-of",
            "1997-09-30",
            "--var",
            &lake,
            "--var",
            &store,
            "--quiet",
        ],
        0,
    );
    let customers = Table::read(&out.path().join("cdnow/latest/customers.parquet"));
    let published = Table::read(&data.join("sample_calibration_39w.parquet"));
    assert_eq!(customers.rows(), 2_357);
    assert_eq!(published.rows(), 2_357);

    let ids = customers.ints("customer_id");
    let (x, t_x, tenure) = (
        customers.ints("repeat_occasions"),
        customers.ints("t_x_days"),
        customers.ints("tenure_days"),
    );
    let m = customers.floats("repeat_spend_mean");
    let (their_ids, their_x) = (published.numbers("sampleid"), published.numbers("x"));
    let (their_t_x, their_t, their_m) = (
        published.numbers("t.x"),
        published.numbers("T.cal"),
        published.numbers("m_x"),
    );
    for row in 0..customers.rows() {
        let theirs = their_ids
            .iter()
            .position(|id| id.map(|id| id as i64) == ids[row])
            .unwrap();
        assert_eq!(
            x[row].map(|x| x as f64),
            their_x[theirs],
            "x of {:?}",
            ids[row]
        );
        // Weeks of the published table are unrounded days / 7.
        assert!(
            (t_x[row].unwrap() as f64 / 7.0 - their_t_x[theirs].unwrap()).abs() < 1e-9,
            "t_x of {:?}",
            ids[row]
        );
        assert!(
            (tenure[row].unwrap() as f64 / 7.0 - their_t[theirs].unwrap()).abs() < 1e-9,
            "T of {:?}",
            ids[row]
        );
        let (mine, wanted) = (m[row].unwrap_or(0.0), their_m[theirs].unwrap_or(0.0));
        assert!(
            (mine - wanted).abs() < 1e-9 * wanted.abs().max(1.0),
            "m of {:?}: {mine} and {wanted}",
            ids[row]
        );
    }
    assert_eq!(x.iter().flatten().sum::<i64>(), 2_457);
    assert_eq!(x.iter().flatten().filter(|x| **x > 0).count(), 946);
}
