//! The same version gives the same bytes.

use arrow::record_batch::RecordBatch;
use tessera_report::{Options, render, summary};

use crate::company;

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (company::input(), company::input());
    assert_eq!(
        render(&one, &Options::default()).unwrap(),
        render(&two, &Options::default()).unwrap()
    );
    assert_eq!(summary(&one).unwrap(), summary(&two).unwrap());
}

#[test]
fn how_a_table_is_cut_into_batches_does_not_matter() {
    let whole = company::input();
    let mut cut = whole.clone();
    for batches in cut.tables.values_mut() {
        let batch: RecordBatch = batches[0].clone();
        let middle = batch.num_rows() / 3;
        *batches = vec![
            batch.slice(0, middle),
            batch.slice(middle, 0),
            batch.slice(middle, batch.num_rows() - middle),
        ];
    }
    assert_eq!(
        render(&whole, &Options::default()).unwrap(),
        render(&cut, &Options::default()).unwrap()
    );
}
