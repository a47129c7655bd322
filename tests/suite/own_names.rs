//! Columns that the program could mistake: names like those of its own, and columns of a Delta table that no file has.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use crate::shop::{ORDERS, Shop, said};

/// 30 orders of five customers in January 2025, with a column of this name that is `z` in every other row.
fn orders(shop: &Shop, own: Option<&str>) -> std::path::PathBuf {
    let numbers = || 0..30;
    let texts = |text: &dyn Fn(i32) -> Option<String>| -> ArrayRef {
        Arc::new(numbers().map(text).collect::<StringArray>())
    };
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(numbers().map(|i| 20_089 + i)));
    let mut columns = vec![
        ("customer_id", texts(&|i| Some(format!("c{}", i % 5)))),
        ("ordered_at", days),
        ("amount", texts(&|i| Some(i.to_string()))),
    ];
    columns.extend(own.map(|name| (name, texts(&|i| (i % 2 == 1).then(|| "z".to_owned())))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = shop.path("lake/orders/a.parquet");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

const CONTRACT: &str = "[sources.orders.contract]\nmissing_key = \"quarantine\"\nduplicates = \"drop_exact\"\n\
    columns = { amount = { type = \"f64\", decimal = \".\" } }\n";

const FEATURES: &str = "[features]\n\
    total = { from = \"orders\", agg = \"sum\", of = \"more\", where = \"amount > 1\", unit = \"currency\", base = \"behavioural\" }\n\
    marked = { from = \"orders\", agg = \"count\", where = \"own = 'z'\", unit = \"count\", base = \"behavioural\" }\n";

#[test]
fn columns_with_names_like_the_programs_own_are_read_as_they_are() {
    for own in [
        "__raw_amount",
        "__raw_no_number_amount",
        "__raw_nulled_more",
        "__raw_overflow_more",
        "__raw_file_amount",
        "__row",
        "__unseen",
        "__drawn",
        "__fault",
        "__customer",
        "__key",
        "__value_0",
    ] {
        let shop = Shop::new();
        orders(&shop, Some(own));
        let derive = format!("derive = {{ more = \"amount + 1\", own = \"\\\"{own}\\\"\" }}\n");
        said(
            &shop.run(
                &[ORDERS, &derive, CONTRACT, FEATURES],
                "2025-01-31",
                &["--quiet"],
            ),
            0,
        );
        let customers = shop.table("customers");
        // Of customer 0: the orders 0, 5, … 25; those above 1, each with one more; every other one has the mark.
        let totals = [80.0, 85.0, 93.0, 99.0, 105.0].map(Some);
        assert_eq!(customers.floats("total"), totals, "{own}");
        assert_eq!(customers.ints("marked"), [Some(3); 5], "{own}");
    }
}

/// The log of a table of this file, with a column that it does not have.
fn log(file: &Path) {
    let folder = file.parent().unwrap().join("_delta_log");
    std::fs::create_dir_all(&folder).unwrap();
    let field = |(name, ty): (&str, &str)| serde_json::json!({"name": name, "type": ty, "nullable": true, "metadata": {}});
    let names = [
        ("customer_id", "string"),
        ("ordered_at", "date"),
        ("amount", "string"),
        ("discount", "decimal(10,2)"),
    ];
    let schema = serde_json::json!({"type": "struct", "fields": names.map(field)});
    let size = std::fs::metadata(file).unwrap().len();
    let actions = [
        serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        serde_json::json!({"metaData": {"id": "t", "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {}}}),
        serde_json::json!({"add": {"path": "a.parquet", "partitionValues": {}, "size": size,
            "modificationTime": 0, "dataChange": true}}),
    ];
    let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("00000000000000000000.json"), lines.join("\n")).unwrap();
}

#[test]
fn a_column_of_a_table_that_no_file_has_is_null_and_named() {
    let shop = Shop::new();
    log(&orders(&shop, None));
    let contract = CONTRACT.replace("duplicates = \"drop_exact\"\n", "");
    let features = "[features]\n\
        net = { from = \"orders\", agg = \"sum\", of = \"amount - coalesce(discount, 0)\", unit = \"currency\", base = \"behavioural\" }\n\
        reduced = { from = \"orders\", agg = \"count\", where = \"discount is not null\", unit = \"count\", base = \"behavioural\" }\n";
    let told = said(
        &shop.run(&[ORDERS, &contract, features], "2025-01-31", &[]),
        0,
    );
    let missing = "column `discount` of source `orders` is missing in 1 file";
    assert!(told.contains(missing), "{told}");
    let customers = shop.table("customers");
    let net = [75.0, 81.0, 87.0, 93.0, 99.0].map(Some);
    assert_eq!(customers.floats("net"), net);
    assert_eq!(customers.ints("reduced"), [Some(0); 5]);
    assert_eq!(shop.table("sources").ints("columns_absent"), [Some(1)]);
}

/// A conversion that fails within an expression reads as null where the contract says so, and is counted at its source.
#[test]
fn conversions_that_fail_within_expressions_are_counted() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,rebate\na,2025-01-01,10,1\na,2025-01-02,x,2\nb,2025-01-03,5,y\nb,2025-01-04,z,q\n",
    );
    let contract = "[sources.orders.contract]\nmissing_key = \"quarantine\"\nconversions = \"null\"\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"string\", rebate = \"string\" }\n\
        rules = [{ name = \"low\", check = \"cast(rebate as double) < 100\" }]\n";
    let derive = "derive = { rest = \"coalesce(cast(rebate as double), 0)\" }\n";
    let features = "[features]\n\
        spend = { from = \"orders\", agg = \"sum\", of = \"cast(amount as double)\", unit = \"currency\", base = \"behavioural\" }\n\
        dear = { from = \"orders\", agg = \"count\", where = \"cast(amount as double) > 7\", unit = \"count\", base = \"behavioural\" }\n\
        rests = { from = \"orders\", agg = \"sum\", of = \"rest\", unit = \"currency\", base = \"behavioural\" }\n";
    let told = said(
        &shop.run(&[ORDERS, derive, contract, features], "2025-01-05", &[]),
        0,
    );
    for part in [
        "feature `dear`: amount is not a number in 2 of 4 rows (50.0%), where it is read as null",
        "derive `rest`: rebate is not a number in 2 of 4 rows (50.0%), where it is read as null",
        "rule `low`: rebate is not a number in 2 of 4 rows (50.0%), where it is read as null",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let sources = shop.table("sources");
    // The conversion of `spend` is that of `dear`, and counted once.
    assert!(
        sources.ints("nulled")[0].is_some_and(|nulled| nulled >= 6),
        "{told}"
    );
    assert_eq!(
        sources.texts("worst_warning")[0].as_deref(),
        Some("changed")
    );
    assert_eq!(
        shop.table("customers").floats("spend"),
        [Some(10.0), Some(5.0)]
    );
}

#[test]
fn links_in_a_circle_are_followed_once_or_refused_with_what_to_do() {
    let shop = Shop::new();
    let folder = orders(&shop, None).parent().unwrap().to_owned();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    std::fs::create_dir(folder.join("sub")).unwrap();
    link("..", "sub/up");
    link(".", "self");
    let features = "[features]\nuse = [\"rfm\"]\n";
    let contract = CONTRACT.replace("duplicates = \"drop_exact\"\n", "");
    let run = |shop: &Shop| shop.run(&[ORDERS, &contract, features], "2025-01-31", &["--quiet"]);
    let told = said(&run(&shop), 0);
    assert!(
        told.contains("files with several names count once"),
        "{told}"
    );
    assert_eq!(shop.table("sources").ints("used"), [Some(30)]);
    link("b.parquet", "a2.parquet");
    link("a2.parquet", "b.parquet");
    let told = said(&run(&shop), 4);
    let place = "orders/a2.parquet: Too many levels of symbolic links (os error 40); it is a link that leads";
    assert!(told.contains(place) && told.contains("remove it"), "{told}");
}
