//! Features of recency, frequency and monetary value: one whose unit or direction is known to be another one is refused.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

/// Runs a grid with a setting, over features of which `returned` is one that is low in good customers.
fn attempt(setting: &str) -> (Shop, std::process::Output) {
    let shop = Shop::new();
    let rows = (0..20).map(|n| format!("C{},2026-01-{:02},{}\n", n % 7, 1 + n, 5 + n));
    let rows: String = rows.collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount\n{rows}"),
    );
    let features = "returned = { expr = \"order_count * 1.0\", direction = \"low is good\" }\n\
                    visits = { expr = \"order_count * 1.0\" }\n";
    let grid = format!("[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\n{setting}\n");
    let parts = [ORDERS, CONTRACT, RFM, features, &grid];
    let output = shop.run(&parts, "2026-01-31", &[]);
    (shop, output)
}

#[test]
fn a_feature_that_contradicts_its_role_is_refused_with_what_it_is() {
    for (setting, found) in [
        ("recency = \"spend_total\"", "but it is money"),
        ("monetary = \"recency_days\"", "but it is a number of days"),
        ("frequency = \"spend_total\"", "but it is money"),
        ("frequency = \"returned\"", "but of it low is good"),
    ] {
        let (shop, output) = attempt(setting);
        let said = said(&output, 2);
        for text in ["error[TS-G022]", found, "shop.toml:"] {
            assert!(said.contains(text), "{text}\n{said}");
        }
        assert!(!shop.published());
    }
}

#[test]
fn a_number_without_a_declared_unit_can_have_any_role() {
    for setting in [
        "",
        "monetary = \"visits\"",
        "recency = \"visits\"\nfrequency = \"visits\"",
    ] {
        let (shop, output) = attempt(setting);
        said(&output, 0);
        assert!(shop.published());
    }
}

/// A component of a health score says which end of its feature is good.
#[test]
fn a_component_that_turns_a_feature_round_is_refused() {
    let component = |scale: &str| {
        format!(
            "\n[scores.health]\nkind = \"health\"\nfrom = \"orders\"\n[scores.health.components]\n\
             recency = {{ feature = \"recency_days\", weight = 1, {scale} }}\n"
        )
    };
    for scale in [
        "worst = 0, best = 180",
        "percentile = \"high\"",
        "steps = [{ below = 30, points = 0 }, { points = 100 }]",
    ] {
        let (_, output) = attempt(&component(scale));
        let said = said(&output, 2);
        let found = "better, but of it low is good";
        assert!(said.contains("TS-G022") && said.contains(found), "{said}");
    }
    let (shop, output) = attempt(&component("worst = 180, best = 0"));
    said(&output, 0);
    assert!(shop.published());
}
