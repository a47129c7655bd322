//! The published tables: columns, order, and that they agree with the assignments.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use tessera_segments::{
    Assignment, Extra, assign, customer_columns, memberships, model_rows, models_table, profiles,
    profiles_table, segment_id, segments_table, summarise,
};
use tessera_spec::pipeline::{Export, Playbook};

use crate::customer_base::{Row, at, believable, customers, one_of_each, touch_hits};

const AS_OF: i32 = 13_513;

fn assigned(rows: &[Row]) -> Vec<Assignment> {
    let hits = touch_hits(rows);
    let extra = Extra {
        rule_hits: Some(&hits),
        ..Extra::default()
    };
    one_of_each()
        .iter()
        .map(|scheme| assign(scheme, &customers(rows), &extra).unwrap())
        .collect()
}

fn columns(batch: &RecordBatch) -> Vec<String> {
    batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

#[test]
fn memberships_hold_every_customer_in_every_scheme_by_key_and_scheme() {
    let mut rows = believable(9_000);
    rows.reverse();
    let table = customers(&rows);
    let assignments = assigned(&rows);
    let batches = memberships(AS_OF, &table, &assignments, &[]).unwrap();
    assert_eq!(batches.rows(), 9_000 * assignments.len());
    let whole: Vec<RecordBatch> = batches.map(Result::unwrap).collect();
    assert!(whole.len() > 1 && whole.iter().all(|batch| batch.num_rows() <= 65_536));
    assert_eq!(
        columns(&whole[0]),
        [
            "as_of",
            "customer_id",
            "scheme",
            "segment_id",
            "segment",
            "reason",
            "assigned_by",
            "entered_on",
            "previous_segment_id",
            "previous_segment",
            "cause",
            "leaves_on",
            "leaves_to",
            "nearest_change"
        ]
    );

    let mut seen = 0;
    let mut last = (String::new(), String::new());
    for batch in &whole {
        let text = |column: usize, row| {
            batch
                .column(column)
                .as_string::<i32>()
                .value(row)
                .to_owned()
        };
        for row in 0..batch.num_rows() {
            let place = (text(1, row), text(2, row));
            assert!(last < place, "sorted by key and scheme, each once");
            assert_eq!(
                batch.column(0).as_primitive::<Date32Type>().value(row),
                AS_OF
            );
            let assignment = assignments.iter().find(|a| a.scheme == place.1).unwrap();
            let key: usize = place.0[1..].parse().unwrap();
            let of_table = 9_000 - key;
            assert_eq!(text(4, row), assignment.segment(of_table).name);
            assert_eq!(text(5, row), assignment.reason(of_table));
            assert_eq!(text(6, row), assignment.assigned_by.as_str());
            let id = batch.column(3).as_primitive::<Int64Type>().value(row);
            assert_eq!(id, segment_id(&place.1, &text(4, row)));
            last = place;
            seen += 1;
        }
    }
    assert_eq!(seen, 9_000 * assignments.len());
    let again = memberships(AS_OF, &table, &assignments, &[]).unwrap();
    assert_eq!(
        again.batch(1).unwrap(),
        whole[1],
        "a batch on its own is the same"
    );
    assert_eq!(again.batches(), whole.len());
}

#[test]
fn tables_without_rows_keep_their_columns() {
    let table = customers(&[]);
    let assignments = assigned(&[]);
    assert_eq!(
        memberships(AS_OF, &table, &assignments, &[])
            .unwrap()
            .batches(),
        0
    );
    assert_eq!(
        memberships(AS_OF, &customers(&believable(2)), &[], &[])
            .unwrap()
            .count(),
        0
    );
    assert_eq!(segments_table(AS_OF, &[], &[]).unwrap().num_columns(), 22);
    assert_eq!(profiles_table(AS_OF, &[]).unwrap().num_columns(), 16);
    assert_eq!(models_table(AS_OF, Vec::new()).unwrap().num_columns(), 9);
}

#[test]
fn segments_carry_their_playbook() {
    let rows = believable(300);
    let assignments = assigned(&rows);
    let summaries = summarise(&customers(&rows), &assignments, Some("spend_total"), None).unwrap();
    let playbook = |name: &str, owner: &str| Playbook {
        name: at(name.to_owned()),
        scheme: at("touch".to_owned()),
        segment: at("rescue".to_owned()),
        goal: None,
        touch: Some("high".to_owned()),
        channel: None,
        owner: Some(owner.to_owned()),
        export: Export::default(),
    };
    let batch = segments_table(
        AS_OF,
        &summaries,
        &[playbook("first", "ann"), playbook("second", "bob")],
    )
    .unwrap();
    assert_eq!(
        columns(&batch),
        [
            "as_of",
            "scheme",
            "segment_id",
            "segment",
            "customers",
            "share",
            "value",
            "value_share",
            "kpi",
            "playbook",
            "touch",
            "channel",
            "owner",
            "rule",
            "goal",
            "kpi_customers",
            "value_now",
            "value_future",
            "value_past",
            "value_at_risk",
            "segment_key",
            "position"
        ]
    );
    assert_eq!(
        batch.num_rows(),
        assignments.iter().map(|a| a.segments.len()).sum::<usize>()
    );
    let text = |column: usize, row: usize| {
        let column = batch.column(column).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let order: Vec<(Option<String>, i64)> = (0..batch.num_rows())
        .map(|row| {
            (
                text(1, row),
                batch.column(2).as_primitive::<Int64Type>().value(row),
            )
        })
        .collect();
    assert!(order.is_sorted());
    for row in 0..batch.num_rows() {
        let rescue =
            text(1, row).as_deref() == Some("touch") && text(3, row).as_deref() == Some("rescue");
        assert_eq!(text(9, row), rescue.then(|| "first".to_owned()));
        assert_eq!(text(12, row), rescue.then(|| "ann".to_owned()));
        assert_eq!(text(11, row), None);
        assert!(batch.column(8).is_null(row), "no KPI was named");
        if rescue {
            assert_eq!(text(13, row).as_deref(), Some("recency_days > 180"));
        }
    }
}

#[test]
fn profiles_and_models_are_sorted_and_typed() {
    let rows = believable(300);
    let assignments = assigned(&rows);
    let found = profiles(&customers(&rows), &assignments).unwrap();
    let batch = profiles_table(AS_OF, &found).unwrap();
    assert_eq!(batch.num_rows(), found.len());
    assert_eq!(
        columns(&batch),
        [
            "as_of",
            "scheme",
            "segment_id",
            "segment",
            "feature",
            "label",
            "customers",
            "mean",
            "median",
            "p10",
            "p90",
            "population_mean",
            "index",
            "effect_size",
            "share",
            "population_share"
        ]
    );
    let order: Vec<_> = found
        .iter()
        .map(|p| (&p.scheme, p.segment_id, &p.feature, &p.label))
        .collect();
    assert!(order.is_sorted());

    let batch = models_table(AS_OF, model_rows(&assignments)).unwrap();
    assert_eq!(
        columns(&batch),
        [
            "as_of",
            "score",
            "model",
            "name",
            "value",
            "text",
            "figure",
            "figure_of",
            "figure_days"
        ]
    );
    let text = |column: usize, row: usize| {
        batch
            .column(column)
            .as_string::<i32>()
            .value(row)
            .to_owned()
    };
    let order: Vec<_> = (0..batch.num_rows())
        .map(|row| (text(1, row), text(2, row), text(3, row)))
        .collect();
    assert!(
        order.windows(2).all(|pair| pair[0] < pair[1]),
        "score, model and name are a key"
    );
    assert!(
        order.contains(&("rfm_docs".into(), "rfm_grid".into(), "warning_1".into())),
        "dead lines are published"
    );
}

#[test]
fn customer_columns_are_named_after_the_scheme() {
    let rows = believable(20);
    for assignment in assigned(&rows) {
        let columns = customer_columns(&assignment).unwrap();
        assert_eq!(columns[0].0.name(), &assignment.scheme);
        for row in 0..20 {
            assert_eq!(
                columns[0].1.as_string::<i32>().value(row),
                assignment.segment(row).name
            );
        }
        let id = format!("{}_segment_id", assignment.scheme);
        assert_eq!(columns[1].0.name(), &id);
        let ids = columns[1].1.as_primitive::<Int64Type>();
        assert!((0..20).all(|row| ids.value(row) == assignment.segment(row).id));
        if assignment.kind == "rfm_grid" {
            assert_eq!(columns[2].0.name(), &format!("{}_score", assignment.scheme));
            let scores = columns[2].1.as_string::<i32>();
            for (place, ending) in ["_r", "_f", "_m"].into_iter().enumerate() {
                let (field, digits) = &columns[3 + place];
                assert_eq!(*field.name(), format!("{}{ending}", assignment.scheme));
                let digits = digits.as_primitive::<Int64Type>();
                for row in 0..20 {
                    assert_eq!(digits.is_null(row), scores.is_null(row));
                    if scores.is_valid(row) {
                        let shown = digits.value(row).to_string();
                        assert_eq!(shown, scores.value(row)[place..=place]);
                    }
                }
            }
        }
    }
}
