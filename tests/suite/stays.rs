//! Customers who stay for a while, and customers whom people put into a segment.

use crate::program::run;
use crate::versions::Case;

const TIER: &str = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "gone"
"#;

/// `assigned_by` and `reason` of a customer of the latest version.
fn decided(case: &Case, customer: &str) -> (String, String) {
    let table = case.table("memberships");
    let keys = table.texts("customer_id");
    let row = keys
        .iter()
        .position(|key| key.as_deref() == Some(customer))
        .unwrap();
    let text = |name: &str| table.texts(name)[row].clone().unwrap();
    (text("assigned_by"), text("reason"))
}

#[test]
fn who_has_not_been_there_long_enough_stays() {
    let case = Case::new();
    let stays = format!("{TIER}\n[memberships]\nmin_stay = {{ freshness = \"20d\" }}\n");
    case.pipeline(&stays).day("2026-02-01");
    // Ordered on 2026-01-10: `gone` from 2026-02-10 on, and in `fresh` since 2026-02-01.
    case.day("2026-02-12");
    assert_eq!(case.memberships("freshness")["small00"][0], "fresh");
    assert_eq!(case.migrations(), Vec::<String>::new());
    let (by, reason) = decided(&case, "small00");
    assert_eq!(by, "held");
    assert!(
        reason.starts_with(
            "held in `fresh` since 2026-02-01 for a minimum stay of 20 days; would be in `gone`: "
        ),
        "{reason}"
    );
    let quality = case.table("quality");
    let place = quality
        .texts("metric")
        .iter()
        .position(|metric| metric.as_deref() == Some("moves_held_back"));
    assert_eq!(quality.floats("value")[place.unwrap()], Some(40.0));
    case.day("2026-02-21");
    assert_eq!(
        case.memberships("freshness")["small00"],
        ["gone", "2026-02-21", "fresh", "ageing"]
    );
    assert_eq!(decided(&case, "small00").0, "rule");
}

/// A scheme whose rules read the other one.
const READER: &str = r#"
[schemes.offer]
kind = "rules"
rules = [{ segment = "novelties", when = "freshness = 'fresh'" }]
otherwise = "none"
"#;

#[test]
fn a_scheme_that_reads_another_follows_its_minimum_stay() {
    let case = Case::new();
    let stays = "[memberships]\nmin_stay = { freshness = \"20d\" }\nleaves_within = \"40d\"\n";
    case.pipeline(&format!("{TIER}{READER}\n{stays}"))
        .day("2026-02-01");
    let leaves = |case: &Case| {
        let table = case.table("memberships");
        let keys = table.texts("customer_id");
        let days = table.days("leaves_on");
        let rows = (0..table.rows()).filter(|&row| keys[row].as_deref() == Some("small00"));
        rows.map(|row| days[row].clone()).collect::<Vec<_>>()
    };
    // Ordered on 2026-01-10, and stays until 2026-02-21.
    let day = Some("2026-02-21".to_owned());
    assert_eq!(leaves(&case), [day.clone(), day.clone()]);
    case.day("2026-02-12");
    assert_eq!(case.memberships("offer")["small00"][0], "novelties");
    assert_eq!(case.migrations(), Vec::<String>::new());
    assert_eq!(leaves(&case), [day.clone(), day]);
    case.day("2026-02-21");
    for (scheme, from, to) in [
        ("freshness", "fresh", "gone"),
        ("offer", "novelties", "none"),
    ] {
        assert_eq!(
            case.memberships(scheme)["small00"],
            [to, "2026-02-21", from, "ageing"]
        );
    }
}

#[test]
fn accounts_that_close_by_time_leave_every_scheme_on_that_day() {
    let case = Case::new();
    let scheme = "[schemes.spend]\nkind = \"rules\"\nrules = [{ segment = \"some\", when = \"spend_total > 0\" }]\n\
                  otherwise = \"none\"\n[memberships]\nleaves_within = \"40d\"\n";
    case.pipeline(scheme);
    let stated = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let key = "key = \"customer_id\"\n";
    let closing = stated.replacen(key, &format!("{key}active = \"recency_days <= 30\"\n"), 1);
    std::fs::write(case.path("moves.toml"), closing).unwrap();
    case.day("2026-02-01");
    // Ordered on 2026-01-10: the 31st day after it is 2026-02-10.
    let table = case.table("memberships");
    let keys = table.texts("customer_id");
    let row = keys
        .iter()
        .position(|key| key.as_deref() == Some("small00"));
    let row = row.unwrap();
    assert_eq!(table.days("leaves_on")[row].as_deref(), Some("2026-02-10"));
    assert_eq!(table.texts("leaves_to")[row], None);
    case.day("2026-02-09");
    assert!(case.memberships("spend").contains_key("small00"));
    case.day("2026-02-10");
    assert!(!case.memberships("spend").contains_key("small00"));
}

#[test]
fn a_scheme_that_reads_another_follows_its_pins() {
    let case = Case::new();
    let pins = case.path("pins.csv");
    let header = "customer,scheme,segment,until,why,by\n";
    std::fs::write(&pins, header).unwrap();
    let pinned = format!("[memberships]\npins = \"{}\"\n", pins.display());
    case.pipeline(&format!("{TIER}{READER}\n{pinned}"))
        .day("2026-02-01");
    std::fs::write(
        &pins,
        format!("{header}small00,freshness,gone,,moved,Ann\n"),
    )
    .unwrap();
    case.day("2026-02-02");
    assert_eq!(
        case.memberships("offer")["small00"],
        ["none", "2026-02-02", "novelties", "definition"]
    );
    let moved = case.migrations();
    let by_pin = |row: &String| row.contains("(definition) 1 ");
    assert!(moved.len() == 2 && moved.iter().all(by_pin), "{moved:?}");
    case.day("2026-02-03");
    assert_eq!(case.migrations(), Vec::<String>::new());
    // Who takes the pin away moves the customer back.
    std::fs::write(&pins, header).unwrap();
    case.day("2026-02-04");
    assert_eq!(
        case.memberships("offer")["small00"],
        ["novelties", "2026-02-04", "none", "definition"]
    );
    let moved = case.migrations();
    assert!(moved.len() == 2 && moved.iter().all(by_pin), "{moved:?}");
    // So does who takes it away and leaves a line of the customer that ended long ago, or ends it by an earlier day.
    let old = "small00,freshness,gone,2026-01-15,on leave,Ann\n";
    let open = "small00,freshness,gone,,moved,Ann\n";
    let earlier = "small00,freshness,gone,2026-02-04,moved,Ann\n";
    for (day, line, left) in [("05", open, old), ("07", open, earlier)] {
        std::fs::write(&pins, format!("{header}{line}")).unwrap();
        case.day(&format!("2026-02-{day}"));
        std::fs::write(&pins, format!("{header}{left}")).unwrap();
        case.day(
            &format!("2026-02-{day}")
                .replace("05", "06")
                .replace("07", "08"),
        );
        let moved = case.migrations();
        assert!(moved.len() == 2 && moved.iter().all(by_pin), "{moved:?}");
    }
}

/// Whatever else happens in that night: an edit, a late row, orders of others.
#[test]
fn the_end_of_a_pin_is_a_matter_of_time() {
    let ends = |edit: &dyn Fn(&Case, &str)| {
        let case = Case::new();
        let pins = case.path("pins.csv");
        let header = "customer,scheme,segment,until,why,by\n";
        let line = "small00,freshness,gone,2026-02-03,moved,Ann\n";
        std::fs::write(&pins, format!("{header}{line}")).unwrap();
        let pinned = format!("[memberships]\npins = \"{}\"\n", pins.display());
        let pipeline = format!("{TIER}{READER}\n{pinned}");
        case.pipeline(&pipeline).day("2026-02-02");
        edit(&case, &pipeline);
        case.day("2026-02-04");
        assert_eq!(
            case.memberships("freshness")["small00"],
            ["fresh", "2026-02-04", "gone", "ageing"]
        );
        assert_eq!(
            case.memberships("offer")["small00"],
            ["novelties", "2026-02-04", "none", "ageing"]
        );
    };
    ends(&|_, _| ());
    ends(&|case, pipeline| {
        case.pipeline(&pipeline.replace("recency_days <= 30", "recency_days <= 29"));
    });
    ends(&|case, _| {
        case.orders("late.csv", &[("small07".to_owned(), "2026-01-30", 5.0)]);
    });
    ends(&|case, _| {
        case.orders("new.csv", &[("small07".to_owned(), "2026-02-03", 5.0)]);
    });
}

#[test]
fn a_pinned_customer_is_where_people_want_it_until_the_pin_ends() {
    let case = Case::new();
    let pins = case.path("pins.csv");
    let pipeline = format!("{TIER}\n[memberships]\npins = \"{}\"\n", pins.display());
    let line = "small00,freshness,gone,2026-02-03,moved abroad,\"Ann, support\"\n";
    let header = "customer,scheme,segment,until,why,by\n";
    std::fs::write(&pins, header).unwrap();
    case.pipeline(&pipeline).day("2026-02-01");
    std::fs::write(&pins, format!("{header}{line}nobody,freshness,gone,,,\n")).unwrap();
    assert_eq!(case.day("2026-02-02"), "published: version 2 of 2026-02-02");
    assert_eq!(
        case.memberships("freshness")["small00"],
        ["gone", "2026-02-02", "fresh", "definition"]
    );
    let (by, reason) = decided(&case, "small00");
    assert_eq!(by, "pin");
    assert!(
        reason.starts_with(
            "pinned until 2026-02-03 by Ann, support: moved abroad; would be in `fresh`: "
        ),
        "{reason}"
    );
    let quality = case.table("quality");
    let place = quality
        .texts("metric")
        .iter()
        .position(|metric| metric.as_deref() == Some("pinned_customers"));
    let place = place.unwrap();
    assert_eq!(quality.floats("value")[place], Some(1.0));
    assert_eq!(
        quality.texts("reason")[place].as_deref(),
        Some("1 of the pinned customers are not in the base")
    );
    // Another content of the file is another run.
    std::fs::write(&pins, format!("{header}{line}")).unwrap();
    assert_eq!(case.day("2026-02-02"), "published: version 3 of 2026-02-02");
    case.day("2026-02-04");
    assert_eq!(case.memberships("freshness")["small00"][0], "fresh");
}

#[test]
fn mistakes_in_pins_are_found_before_a_row_is_read() {
    let case = Case::new();
    let pins = case.path("pins.csv");
    let text = "customer,scheme,segment,until,why,by\na,freshness,gone,soon,,\na,frshness,gone,,,\nb,freshness,gone,,,\nb,freshness,fresh,,,\n";
    std::fs::write(&pins, text).unwrap();
    let pipeline = format!(
        "{TIER}\n[memberships]\npins = \"{}\"\nmin_stay = {{ freshness = \"1 month\" }}\n",
        pins.display()
    );
    case.pipeline(&pipeline);
    let all = case.arguments("check", &[]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    assert!(
        said.contains("`1 month` is not a number of days for `min_stay`"),
        "{said}"
    );
    case.pipeline(&pipeline.replace("1 month", "30d"));
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    for part in [
        "line 2: `soon` is not a date such as 2026-12-31",
        "line 3: there is no scheme `frshness`",
        "line 5: the customer is pinned in line 4 already",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// The value of a measure of the latest version.
fn measure(case: &Case, metric: &str) -> Option<f64> {
    let quality = case.table("quality");
    let metrics = quality.texts("metric");
    let row = metrics
        .iter()
        .position(|known| known.as_deref() == Some(metric))?;
    quality.floats("value")[row]
}

#[test]
fn customers_at_the_border_of_a_tier_stay_up_to_its_limits() {
    let case = Case::new();
    let tiers = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }

[memberships.hysteresis.tier]
top = { enter = 0.1, exit = 0.3 }
"#;
    // Of 80 customers the 20 who spend most are in `top`: large20 to large39, who spent 1,020.5 to 1,039.5.
    case.pipeline(tiers).day("2026-02-01");
    assert_eq!(measure(&case, "moves_within_limits"), Some(0.0));
    let of = |customer: &str| case.memberships("tier")[customer][0].clone();
    assert_eq!(
        (of("large20"), of("large19")),
        ("top".to_owned(), "rest".to_owned())
    );
    // One passes all others; one comes to rank 14, beyond the first 8 up to which customers enter.
    let new = [("large19", 100.0), ("large18", 9.7)];
    let new: Vec<(String, &str, f64)> = new
        .iter()
        .map(|(customer, amount)| ((*customer).to_owned(), "2026-02-02", *amount))
        .collect();
    case.orders("b.csv", &new);
    case.day("2026-02-02");
    assert_eq!(
        (of("large19"), of("large18")),
        ("top".to_owned(), "rest".to_owned())
    );
    // Ranks 21 and 22 are within the first 24 up to which customers stay.
    assert_eq!(
        (of("large20"), of("large21")),
        ("top".to_owned(), "top".to_owned())
    );
    assert_eq!(measure(&case, "moves_within_limits"), Some(3.0));
    let (by, reason) = decided(&case, "large20");
    assert_eq!(by, "held");
    assert!(
        reason.starts_with(
            "by its limits in `top` (rank 22 of 80): leaves `top` at the top 30% by spend_total; would be in `rest`: "
        ),
        "{reason}"
    );
    let (by, reason) = decided(&case, "large18");
    assert_eq!(by, "held");
    assert!(
        reason.starts_with(
            "by its limits in `rest` (rank 14 of 80): enters `top` at the top 10% by spend_total; would be in `top`: "
        ),
        "{reason}"
    );
    let moves = case.migrations();
    let one = moves.len() == 1 && moves[0].starts_with("tier: rest > top (activity) 1 ");
    assert!(one, "{moves:?}");
}

#[test]
fn customers_at_the_border_of_a_score_stay_within_the_margin() {
    let case = Case::new();
    let grid = r#"
[schemes.rfm]
kind = "rfm_grid"
grid = [
  { segment = "much", r = [1, 2], f = [1, 2], m = [2, 2] },
  { segment = "little", r = [1, 2], f = [1, 2], m = [1, 1] },
]
scores = 2
score_method = "midrank"
"#;
    let with = format!("{grid}\n[memberships]\nscore_margin = {{ rfm = 0.02 }}\n");
    // Of 80 customers the 40 who spent 1,000.5 and more are in `much`: large00 to large39.
    case.pipeline(&with).day("2026-02-01");
    assert_eq!(measure(&case, "moves_within_limits"), Some(0.0));
    let of = |customer: &str| case.memberships("rfm")[customer][0].clone();
    assert_eq!(
        (of("large00"), of("small00")),
        ("much".to_owned(), "little".to_owned())
    );
    // Four pass: large00 to large03 have the ranks 36.5 to 39.5 of 80, and 2% of 80 are 1.6.
    let new = ["small00", "small01", "small02", "small03"];
    let new: Vec<(String, &str, f64)> = new
        .iter()
        .map(|customer| ((*customer).to_owned(), "2026-02-02", 5_000.0))
        .collect();
    case.orders("b.csv", &new);
    case.day("2026-02-02");
    let found = ["large00", "large01", "large02", "large03", "large04"].map(of);
    assert_eq!(found, ["little", "little", "much", "much", "much"]);
    assert_eq!(new.iter().filter(|one| of(&one.0) == "much").count(), 4);
    assert_eq!(measure(&case, "moves_within_limits"), Some(2.0));
    let (by, reason) = decided(&case, "large03");
    assert_eq!(by, "held");
    assert!(
        reason.starts_with(
            "by its margin in `much`: ranks that differ by up to 2% of the 80 customers put it there; would be in `little`: R"
        ),
        "{reason}"
    );
    // Held customers do not move: two fall, four rise, all by activity.
    let mut moves = case.migrations();
    moves.sort();
    assert_eq!(moves.len(), 2, "{moves:?}");
    assert!(
        moves[0].starts_with("rfm: little > much (activity) 4 "),
        "{moves:?}"
    );
    assert!(
        moves[1].starts_with("rfm: much > little ") && moves[1].contains(" 2 "),
        "{moves:?}"
    );

    let wrong = grid.replace("midrank", "frozen");
    case.pipeline(&format!("{TIER}{wrong}\n[memberships]\nscore_margin = {{ rfm = 0.02, freshness = 0.1, rfn = 0.1 }}\n"));
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    for part in [
        "the scores of `rfm` are not ranks of the customers of the day",
        "`freshness` has no scores, so it has no margin of scores",
        "unknown scheme `rfn`",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    case.pipeline(&with.replace("0.02", "0.5"));
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    assert!(
        said.contains("must be above 0 and below 0.5, the share of a score, and is 0.5"),
        "{said}"
    );
}

#[test]
fn mistakes_in_limits_are_found_before_a_row_is_read() {
    let case = Case::new();
    let wrong = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }

[memberships.hysteresis.tier]
top  = { enter = 0.3, exit = 0.2 }
rest = { exit = 0.9 }

[memberships.hysteresis.freshness]
fresh = { exit = 0.5 }

[memberships.hysteresis.teir]
top = { exit = 0.5 }
"#;
    case.pipeline(&format!("{TIER}{wrong}"));
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    for part in [
        "`enter` of tier `top` must be above 0 and at most 0.25, the share of the tier, and is 0.3",
        "`exit` of tier `top` must be at least 0.25, the share of the tier, and below 1, and is 0.2",
        "unknown tier above the last `rest`",
        "`freshness` has no tiers, so customers have no limits in it",
        "unknown scheme `teir`",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}
