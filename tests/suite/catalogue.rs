//! Every example of the feature catalogue is run.

use crate::program::{json, run};
use crate::table::Table;

#[test]
fn every_example_of_the_catalogue_gives_the_value_it_states() {
    let features = json(&run(&["features", "--json"], 0));
    let mut examples = 0;
    for feature in features.as_array().unwrap() {
        let Some(example) = feature["example"].as_object() else {
            continue;
        };
        examples += 1;
        let name = feature["name"].as_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut rows = String::from("customer_id,day,amount\n");
        for order in example["orders"].as_str().unwrap().split("; ") {
            let (day, amount) = order.split_once(' ').unwrap();
            rows.push_str(&format!("c1,{day},{amount}\n"));
        }
        std::fs::write(dir.path().join("orders.csv"), rows).unwrap();
        let pipeline = format!(
            "spec_version = 1\nname = \"example\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"{0}/store\"\n[customer]\nkey = \"customer_id\"\n\
             [sources.orders]\nkind = \"events\"\npath = \"{0}/orders.csv\"\nkey = \"customer_id\"\ntime = \"day\"\n\
             [sources.orders.contract]\ncolumns = {{ customer_id = \"string\", day = \"date\", amount = \"f64\" }}\nmissing_key = \"fail\"\n\
             [features]\nuse = [\"{name}\"]\n",
            dir.path().display()
        );
        let file = dir.path().join("example.toml");
        std::fs::write(&file, pipeline).unwrap();
        run(
            &[
                "run",
                file.to_str().unwrap(),
                "--as-of",
                example["as_of"].as_str().unwrap(),
                "--quiet",
            ],
            0,
        );
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        assert_eq!(
            customers.shown(name),
            example["expect"].as_str().unwrap(),
            "{name}"
        );
    }
    assert!(examples >= 9);
}
