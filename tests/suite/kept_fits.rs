//! What was fitted stays as it is through renames and under labels that are called like a segment; of nobody nothing is learned; and
//! clusters that were found while all customers were alike are no reason to refuse better ones.

use std::collections::BTreeMap;

use crate::versions::Case;

const FITTED: &str = r#"
[features]
use = ["rfm"]
item = { from = "orders", agg = "last", of = "item" }

[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.1, mid = 0.5, low = 1.0 }
refit = "never"

[schemes.grid]
kind = "rfm_grid"
scores = 3
refit = "never"
grid = [
  { segment = "good", r = [1, 3], f = [1, 3], m = [3, 3] },
  { segment = "fair", r = [1, 3], f = [1, 3], m = [2, 2] },
  { segment = "bad", r = [1, 3], f = [1, 3], m = [1, 1] },
]

[schemes.taste]
kind = "attribute"
by = "item"
min_share = 0.2
refit = "never"
"#;

/// 200 customers with one order each in January.
fn january(item: impl Fn(u32) -> &'static str) -> String {
    let row = |number: u32| {
        let day = 1 + number % 9;
        format!("c{number},2026-01-{day:02},{number},{}\n", item(number))
    };
    (0..200).map(row).collect()
}

fn lake(rows: &str) -> Case {
    let case = Case::new();
    case.file(
        "a.csv",
        &format!("customer_id,ordered_at,amount,item\n{rows}"),
    );
    case
}

/// Segment and cause of every customer of the three schemes.
fn segments(case: &Case) -> BTreeMap<(String, String), [String; 2]> {
    let schemes = ["tier", "grid", "taste"];
    let of_scheme = |scheme: &str| {
        let found = case.memberships(scheme).into_iter();
        let scheme = scheme.to_owned();
        found.map(move |(key, [segment, _, _, cause])| ((scheme.clone(), key), [segment, cause]))
    };
    schemes.into_iter().flat_map(of_scheme).collect()
}

#[test]
fn a_rename_moves_nobody_although_the_fit_is_older() {
    let items = |number: u32| match number % 10 {
        0 => "kiwi",
        even if even % 2 == 0 => "apple",
        _ => "pear",
    };
    let february: String = (0..100)
        .map(|number| {
            let item = if number < 90 { "kiwi" } else { "apple" };
            format!("c{number},2026-02-03,120,{item}\n")
        })
        .collect();
    let rows = format!("{}{february}", january(items));
    let renamed = FITTED
        .replace("{ top = 0.1", "{ best = 0.1")
        .replace("segment = \"good\"", "segment = \"great\"")
        .replace(
            "min_share = 0.2",
            "min_share = 0.2\nother = \"rare\"\nwas = { rare = \"other\" }",
        )
        .replace(
            "by = \"spend_total\"",
            "by = \"spend_total\"\nmissing = \"none\"\nwas = { best = \"top\" }",
        )
        .replace("scores = 3", "scores = 3\nwas = { great = \"good\" }");
    let [plain, named] = [FITTED, renamed.as_str()].map(|settings| {
        let case = lake(&rows);
        case.pipeline_of_items(FITTED);
        case.day("2026-01-31");
        let first = case.ids();
        case.pipeline_of_items(settings);
        case.day("2026-02-28");
        (segments(&case), first, case.ids())
    });
    let old = |name: &str| match name {
        "best" => "top".to_owned(),
        "great" => "good".to_owned(),
        "rare" => "other".to_owned(),
        name => name.to_owned(),
    };
    for (key, [segment, cause]) in &named.0 {
        assert_eq!([old(segment), cause.clone()], plain.0[key], "{key:?}");
    }
    let was: BTreeMap<_, _> = named
        .2
        .iter()
        .map(|((of, name), id)| ((of.clone(), old(name)), *id))
        .collect();
    for (key, id) in &plain.2 {
        assert_eq!(was[key], *id, "{key:?}");
    }
    let names = |of: &str| named.0.iter().filter(|(_, found)| found[0] == of).count();
    assert!(
        names("best") > 20 && names("great") > 66 && names("rare") > 20,
        "{named:?}"
    );
}

#[test]
fn of_customers_without_a_value_nothing_is_learned() {
    // The features of the first day are those of February alone.
    let settings = FITTED
        .replace(
            "item = { from = \"orders\", agg = \"last\", of = \"item\" }",
            "spent = { from = \"orders\", agg = \"sum\", of = \"amount\", where = \"ordered_at >= date '2026-02-01'\" }\n\
             seen = { from = \"orders\", agg = \"last\", of = \"item\", where = \"ordered_at >= date '2026-02-01'\" }",
        )
        .replace("by = \"item\"", "by = \"seen\"")
        .replace("by = \"spend_total\"", "by = \"first_spent\"")
        .replace("[schemes.tier]", "first_spent = { expr = \"case when spent > 0 then spent end\" }\n\n[schemes.tier]");
    let february: String = (0..200)
        .map(|number| {
            let item = if number % 2 == 0 { "gold" } else { "basic" };
            format!("c{number},2026-02-03,{},{item}\n", 1 + number)
        })
        .collect();
    let case = lake(&format!("{}{february}", january(|_| "basic")));
    case.pipeline_of_items(&settings);
    case.day("2026-01-31");
    let count = |scheme: &str, segment: &str| {
        let found = case.memberships(scheme).into_values();
        found.filter(|row| row[0] == segment).count()
    };
    assert_eq!(
        (count("tier", "unknown"), count("taste", "unknown")),
        (200, 200)
    );
    for day in ["2026-02-28", "2026-03-01"] {
        case.day(day);
        assert_eq!(
            [20, 80, 100],
            ["top", "mid", "low"].map(|tier| count("tier", tier))
        );
        assert_eq!(
            (count("taste", "gold"), count("taste", "basic")),
            (100, 100)
        );
    }
}

#[test]
fn a_common_value_that_is_called_like_the_segment_of_rare_ones_stays_common() {
    let items = |number: u32| match number % 20 {
        0 => "rare",
        few if few < 10 => "other",
        _ => "pear",
    };
    let case = lake(&january(items));
    case.pipeline_of_items(FITTED);
    let told = |case: &Case| {
        let table = case.table("memberships");
        let mut reasons: Vec<String> = (0..table.rows())
            .filter(|&row| table.texts("scheme")[row].as_deref() == Some("taste"))
            .map(|row| table.texts("reason")[row].clone().unwrap())
            .collect();
        reasons.sort();
        reasons.dedup();
        let quality = case.table("quality");
        let criteria = quality.texts("criterion");
        let mixed = criteria
            .iter()
            .flatten()
            .filter(|one| *one == "one meaning");
        (reasons, mixed.count())
    };
    let expected = [
        "item is other",
        "item is pear",
        "item is rare, which fewer than 20% of the customers had when the segments were fitted",
    ];
    for day in ["2026-01-31", "2026-02-01"] {
        case.day(day);
        assert_eq!(
            told(&case),
            (expected.map(str::to_owned).to_vec(), 1),
            "{day}"
        );
    }
}

/// Ninety customers of two hundred have a value that few had when it was looked at what is rare: nothing says that few have it.
#[test]
fn what_is_said_of_shares_is_said_of_the_day_of_the_fit() {
    let more: String = (0..90)
        .map(|number| format!("c{number},2026-02-03,1,kiwi\n"))
        .collect();
    let items = |number: u32| ["kiwi", "pear"][usize::from(!number.is_multiple_of(10))];
    let case = lake(&format!("{}{more}", january(items)));
    case.pipeline_of_items(FITTED);
    case.day("2026-01-31");
    case.day("2026-02-28");
    let table = case.table("memberships");
    let then =
        "item is kiwi, which fewer than 20% of the customers had when the segments were fitted";
    let reasons = table.texts("reason").into_iter().flatten();
    assert_eq!(reasons.filter(|reason| reason == then).count(), 101);
    let segments = case.table("segments");
    let rules: Vec<String> = segments.texts("rule").into_iter().flatten().collect();
    let rule =
        "item has a value that fewer than 20% of the customers had when the segments were fitted";
    assert!(rules.iter().any(|known| known == rule), "{rules:?}");
    // An earlier definition that serves keeps its tiers, which each run would fit.
    let each_run = FITTED.replace(
        "tiers = { top = 0.1, mid = 0.5, low = 1.0 }\nrefit = \"never\"",
        "tiers = { top = 0.1, mid = 0.5, low = 1.0 }",
    );
    let gates =
        "\n[gates]\nstable = { max_psi = 0.1, min_kept = 0.95, on_fail = \"hold_previous\" }\n";
    let later: String = (0..150)
        .map(|number| format!("c{number},2026-03-03,1000,pear\n"))
        .collect();
    let case = lake(&format!("{}{later}", january(items)));
    case.pipeline_of_items(&each_run);
    case.day("2026-01-31");
    case.pipeline_of_items(&format!("{each_run}{gates}"));
    case.day("2026-03-31");
    let table = case.table("memberships");
    let (schemes, by) = (table.texts("scheme"), table.texts("assigned_by"));
    let reasons = table.texts("reason");
    let held: Vec<&str> = (0..table.rows())
        .filter(|&row| {
            schemes[row].as_deref() == Some("tier") && by[row].as_deref() == Some("held")
        })
        .filter_map(|row| reasons[row].as_deref())
        .collect();
    assert_eq!(held.len(), 200);
    let kept = "when the tiers were fitted, from ";
    assert!(
        held.iter().all(|reason| reason.contains(kept)),
        "{}",
        held[0]
    );
}

#[test]
fn clusters_that_began_while_all_customers_were_alike_are_replaced() {
    let january: String = (0..300)
        .map(|number| format!("c{number},2026-01-01,10\n"))
        .collect();
    let later: String = (0..300)
        .map(|number| {
            let spent = [100.0, 1_000.0, 5_000.0][number as usize % 3] + f64::from(number) / 10.0;
            format!("c{number},2026-01-20,{spent}\n")
        })
        .collect();
    let case = Case::new();
    case.file(
        "a.csv",
        &format!("customer_id,ordered_at,amount\n{january}{later}"),
    );
    case.pipeline("[schemes.spend]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 3\n");
    case.day("2026-01-15");
    case.day("2026-01-21");
    assert_eq!(case.ids().len(), 1, "the month is not over");
    case.day("2026-02-20");
    assert_eq!(case.ids().len(), 3);
    let quality = case.table("quality");
    let text = |name: &str, row: usize| quality.texts(name)[row].clone().unwrap_or_default();
    let mut rows = 0..quality.rows();
    let row = rows.find(|&row| text("criterion", row) == "refit").unwrap();
    assert_eq!(text("status", row), "ok");
    let why = "it is used, because the fit before found fewer clusters (1) than are asked for";
    assert!(
        text("reason", row).ends_with(why),
        "{}",
        text("reason", row)
    );
}

#[test]
fn frozen_edges_of_numbers_that_are_defined_in_another_way_say_so() {
    let case = lake(&january(|_| "pear"));
    let frozen = FITTED.replace(
        "scores = 3\nrefit = \"never\"",
        "scores = 3\nscore_method = \"frozen\"",
    );
    case.pipeline_of_items(&frozen);
    let said = |case: &Case| {
        let quality = case.table("quality");
        let text = |name: &str, row: usize| quality.texts(name)[row].clone().unwrap_or_default();
        let rows = (0..quality.rows()).filter(|&row| text("criterion", row) == "refit");
        rows.map(|row| text("scheme", row) + ": " + &text("reason", row))
            .collect::<Vec<_>>()
    };
    for day in ["2026-01-31", "2026-02-01"] {
        case.day(day);
        assert_eq!(said(&case), Vec::<String>::new());
    }
    // Euros become cents.
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let cents = text.replace(
        "time = \"ordered_at\"\n",
        "time = \"ordered_at\"\nderive = { cents = \"amount * 100\" }\namount = \"cents\"\n",
    );
    assert_ne!(cents, text);
    std::fs::write(case.path("moves.toml"), cents).unwrap();
    case.day("2026-02-02");
    let found = said(&case);
    assert_eq!(found.len(), 1, "{found:?}");
    let begin = "grid: the sources changed since the edges were frozen, which are used as they are";
    assert!(found[0].starts_with(begin), "{found:?}");
}
