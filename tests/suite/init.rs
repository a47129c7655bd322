//! A first pipeline file for a lake that the program has never seen: it passes the check, its run publishes, and what was guessed is
//! what the tables are.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::program::{demo, json, public_data, run};
use crate::table::Table;

/// What `tessera init` made of a lake, and what a run of it published.
struct Made {
    text: String,
    tables: Vec<String>,
    folder: tempfile::TempDir,
}

impl Made {
    /// Writes the file for a lake, checks it, and runs it on the last day of its data.
    fn of(lake: &Path, further: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("first.toml");
        let (lake, file) = (lake.to_str().unwrap(), file.to_str().unwrap());
        let arguments = [&["init", lake, "--out", file, "--json"], further].concat();
        let made = json(&run(&arguments, 0));
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(made["pipeline"], text.as_str());
        let out = format!("out={}", folder.path().display());
        run(&["check", file, "--var", &out], 0);
        let mut run_it = vec!["run", file, "--quiet", "--var", &out];
        if let Value::String(day) = &made["as_of"] {
            run_it.extend(["--as-of", day]);
        }
        run(&run_it, 0);
        let tables = made["tables"].as_array().unwrap().iter();
        Self {
            tables: tables
                .map(|line| line.as_str().unwrap().to_owned())
                .collect(),
            text,
            folder,
        }
    }

    fn customers(&self) -> Table {
        let mut stores = std::fs::read_dir(self.folder.path()).unwrap();
        let store = stores.find_map(|entry| {
            let path = entry.unwrap().path();
            path.is_dir().then_some(path)
        });
        Table::read(&store.unwrap().join("latest/customers.parquet"))
    }
}

#[test]
fn the_demo_lake_is_recognised_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path().to_str().unwrap(), 800);
    let made = Made::of(
        &folder.path().join("lake"),
        &["--timezone", "Europe/Berlin"],
    );
    for line in [
        "accounts: attributes, key `customer_id`, time `valid_from`",
        "orders: events, key `customer_id`, time `ordered_at`, money `quantity` x `unit_price`",
        "product_events: events, key `customer_id`, time `occurred_at`",
        "subscriptions: intervals, key `customer_id`, time `started_on`, money `mrr`",
        "surveys: events, key `customer_id`, time `answered_at`",
        "tickets: events, key `customer_id`, time `opened_at`",
    ] {
        assert!(
            made.tables.iter().any(|made| made == line),
            "{line}\n{:#?}",
            made.tables
        );
    }
    assert!(
        made.text.contains("order_id = \"order_id\""),
        "{}",
        made.text
    );
    let customers = made.customers();
    for column in [
        "rfm",
        "value_tier",
        "lifecycle",
        "touch",
        "churn_probability",
        "country",
        "subscriptions_money",
    ] {
        assert!(customers.has(column), "{column}\n{}", made.text);
    }
}

#[test]
fn public_lakes_are_recognised_and_run() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let data = data.parent().unwrap();
    for (lake, customers, said) in [
        (
            "cdnow/sample.parquet",
            2_357,
            "sample: events, key `customer_id`, time `date`, money `dollars`",
        ),
        (
            "online_retail",
            4_372,
            "online_retail: events, key `customer_id`, time `invoiced_at`, money `quantity` x `unit_price`",
        ),
        (
            "telco/Telco-Customer-Churn.csv",
            7_043,
            "telco_customer_churn: attributes, key `customerID`",
        ),
        (
            "rfm/rfm_data_orders.csv",
            995,
            "rfm_data_orders: events, key `customer_id`, time `order_date`, money `revenue`",
        ),
    ] {
        let made = Made::of(&data.join(lake), &[]);
        assert!(
            made.tables.iter().any(|line| line == said),
            "{said}\n{:#?}",
            made.tables
        );
        assert_eq!(made.customers().rows(), customers, "{lake}\n{}", made.text);
    }
    let made = Made::of(&data.join("ravenstack"), &["--currency", "USD"]);
    for table in [
        "accounts: attributes, key `account_id`",
        "subscriptions: intervals, key `account_id`",
    ] {
        assert!(
            made.tables.iter().any(|line| line.starts_with(table)),
            "{table}\n{:#?}",
            made.tables
        );
    }
    assert_eq!(made.customers().rows(), 500, "{}", made.text);
}

/// Text files of another country: semicolons, decimal commas, days before months, words for missing values, letters of one byte.
#[test]
fn text_files_of_another_country_are_read_as_they_are_meant() {
    let lake = tempfile::tempdir().unwrap();
    let mut spent: std::collections::BTreeMap<String, i64> = std::collections::BTreeMap::new();
    for year in [2024, 2025] {
        let mut text = "Auftrag Nr;Kunden-Nr;Bestelldatum;Betrag;Filiale\n".to_owned();
        for row in 0..400_i64 {
            let customer = format!("K{:04}", row * 7 % 60);
            let cents = 150_000 - row * 311;
            let (day, month) = (row % 28 + 1, row / 28 % 12 + 1);
            let (euros, rest) = (cents / 100, cents % 100);
            let money = match euros {
                1_000.. => format!("{}.{:03},{rest:02}", euros / 1_000, euros % 1_000),
                _ => format!("{euros},{rest:02}"),
            };
            let _ = writeln!(
                text,
                "A{year}{};{customer};{day:02}.{month:02}.{year};{money};K\u{f6}ln",
                row / 2
            );
            *spent.entry(customer).or_default() += cents;
        }
        let bytes: Vec<u8> = text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        std::fs::write(lake.path().join(format!("bestellungen_{year}.csv")), bytes).unwrap();
    }
    let made = Made::of(lake.path(), &["--timezone", "Europe/Berlin"]);
    assert_eq!(
        made.tables,
        ["bestellungen: events, key `Kunden-Nr`, time `Bestelldatum`, money `Betrag`"]
    );
    let customers = made.customers();
    assert_eq!(customers.rows(), 60, "{}", made.text);
    let found = customers
        .texts("kunden_nr")
        .into_iter()
        .zip(customers.floats("spend_total"));
    for (key, spend) in found {
        let expected = spent[&key.unwrap()] as f64 / 100.0;
        assert!((spend.unwrap() - expected).abs() < 1e-6, "{}", made.text);
    }
}

/// Keys under other names, tables without customers, and rows without a time.
#[test]
fn what_cannot_be_used_is_said_in_the_file() {
    let lake = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(lake.path().join(name), text).unwrap();
    let mut orders = "client,order_date,updated_at,total\n".to_owned();
    let mut clients = "id,name,region\n".to_owned();
    for number in 0..300 {
        let client = number % 40;
        let _ = writeln!(
            orders,
            "{client},2026-0{}-11,2026-10-01,{}.5",
            number % 9 + 1,
            number
        );
        if number < 40 {
            let region = ["north", "south"][number % 2];
            let _ = writeln!(clients, "{client},Name {client},{region}");
        }
    }
    write("orders.csv", &orders);
    write("clients.csv", &clients);
    // Times as milliseconds since 1970.
    let visits = (0..80).map(|n| {
        format!(
            "{{\"client\":\"{}\",\"ts\":{}}}\n",
            n % 40,
            1_780_000_000_000_i64 + n * 86_400_000
        )
    });
    write("visits.ndjson", &visits.collect::<String>());
    write("products.csv", "sku,price\na,1\nb,2\n");
    write("likes.csv", "client,page\n1,a\n1,b\n2,a\n");
    let made = Made::of(lake.path(), &[]);
    assert_eq!(
        made.tables,
        [
            "clients: attributes, key `id`",
            "orders: events, key `client`, time `order_date`, money `total`",
            "visits: events, key `client`, time `ts`",
            "likes: not read, it has several rows of a customer, and no column with dates or times was found in it",
            "products: not read, no column with the keys of customers was found in it",
        ]
    );
    assert!(
        made.text.contains("# The table `products` is not read"),
        "{}",
        made.text
    );
    assert!(
        made.text.contains("# other times: `updated_at`"),
        "{}",
        made.text
    );
    let customers = made.customers();
    assert_eq!(customers.rows(), 40);
    assert!(customers.has("region") && !customers.has("name"));
}

#[test]
fn a_lake_without_keys_or_data_is_refused_with_what_to_do() {
    let lake = tempfile::tempdir().unwrap();
    let path = lake.path().to_str().unwrap();
    let said = run(&["init", path], 3);
    assert!(String::from_utf8_lossy(&said.stderr).contains("there is no data in"));
    run(&["init", "/none/such"], 4);
    std::fs::write(
        lake.path().join("sales.csv"),
        "card,bought_at,eur\nx,2026-01-01,3\nx,2026-02-01,4\ny,2026-02-02,5\n",
    )
    .unwrap();
    let said = run(&["init", path], 2);
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.contains("`sales` has card, bought_at, eur") && said.contains("--key"),
        "{said}"
    );
    let made = Made::of(lake.path(), &["--key", "card"]);
    assert_eq!(
        made.tables,
        ["sales: events, key `card`, time `bought_at`, money `eur`"]
    );
    // A file that exists is never written over.
    let file = lake.path().join("first.toml");
    std::fs::write(&file, "mine").unwrap();
    run(
        &[
            "init",
            path,
            "--key",
            "card",
            "--out",
            file.to_str().unwrap(),
        ],
        2,
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

/// A product whose customers neither buy nor have contracts: who used it last decides.
#[test]
fn without_purchases_and_contracts_use_of_the_product_says_who_is_active() {
    let lake = tempfile::tempdir().unwrap();
    let (mut accounts, mut usage) = ("account_id,country\n".to_owned(), String::new());
    usage.push_str("account_id,used_at,feature\n");
    let mut tickets = "account_id,opened_at,priority\n".to_owned();
    let first = chrono::NaiveDate::from_ymd_opt(2025, 3, 1).unwrap();
    for account in 0..200_i64 {
        let country = ["DE", "FR", "NL"][account as usize % 3];
        writeln!(accounts, "A{account:03},{country}").unwrap();
        for month in 0..(2 + account % 13) {
            let day = first + chrono::Days::new((month * 30 + account % 29) as u64);
            writeln!(usage, "A{account:03},{day},search").unwrap();
        }
        for ticket in 0..30 {
            let day = first + chrono::Days::new((ticket * 12) as u64);
            writeln!(tickets, "A{account:03},{day},low").unwrap();
        }
    }
    for (name, text) in [
        ("accounts", accounts),
        ("usage", usage),
        ("tickets", tickets),
    ] {
        std::fs::write(lake.path().join(format!("{name}.csv")), text).unwrap();
    }
    let made = Made::of(lake.path(), &[]);
    assert!(
        made.text
            .contains("orders = \"usage\"    # guess: whose rows say that a customer is active"),
        "{}",
        made.text
    );
    let customers = made.customers();
    assert_eq!(customers.rows(), 200);
    assert!(customers.texts("lifecycle").iter().all(Option::is_some));
    assert!(customers.known("recency_days").iter().all(|known| *known));
}
