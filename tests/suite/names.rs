//! Names that people give to segments: an id keeps its history, and nobody moves.

use crate::program::run;
use crate::versions::Case;

fn schemes(names: &str, tiers: &str) -> String {
    format!(
        "[schemes.spend]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 2\ntransform = \"none\"\n{names}\n\
         [schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\n{tiers}\n"
    )
}

const TIERS: &str = "tiers = { top = 0.25, rest = 1.0 }";

#[test]
fn a_renamed_segment_and_a_named_cluster_keep_their_ids() {
    let case = Case::new();
    case.pipeline(&schemes("", TIERS)).day("2026-02-01");
    let ids = case.ids();
    let id = |scheme: &str, name: &str| ids[&(scheme.to_owned(), name.to_owned())];
    let large = case.memberships("spend")["large00"][0].clone();
    let number = id("spend", &large);
    let named = format!("names = {{ {number} = \"big spenders\" }}");
    let renamed = "tiers = { best = 0.25, rest = 1.0 }\nwas = { best = \"top\" }";
    case.pipeline(&schemes(&named, renamed)).day("2026-02-02");
    let now = case.ids();
    assert_eq!(
        now[&("spend".to_owned(), "big spenders".to_owned())],
        number
    );
    assert_eq!(
        now[&("tier".to_owned(), "best".to_owned())],
        id("tier", "top")
    );
    for scheme in ["spend", "tier"] {
        for (customer, [_, entered, _, cause]) in case.memberships(scheme) {
            assert_eq!(
                (entered.as_str(), cause.as_str()),
                ("2026-02-01", ""),
                "{customer}"
            );
        }
    }
    assert_eq!(case.migrations(), Vec::<String>::new());
    let events = case.table("segment_events");
    let kinds = events.texts("event");
    let renamed = kinds
        .iter()
        .filter(|kind| kind.as_deref() == Some("renamed"));
    assert_eq!(renamed.count(), 2, "{kinds:?}");
    let ledger = case.table("segment_ledger");
    let before = ledger.texts("names_before");
    assert!(before.contains(&Some("[\"top\"]".to_owned())), "{before:?}");
    // A name stays with the id while the cluster has it.
    case.day("2026-02-03");
    assert_eq!(
        case.ids()[&("spend".to_owned(), "big spenders".to_owned())],
        number
    );
}

#[test]
fn names_of_what_is_not_there_are_found() {
    let case = Case::new();
    case.pipeline(&schemes(
        "names = { first = \"a\" }",
        "tiers = { best = 0.25, rest = 1.0 }\nwas = { bset = \"top\" }",
    ));
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    assert!(
        said.contains("`first` is not the id of a cluster"),
        "{said}"
    );
    assert!(
        said.contains("unknown segment `bset` in [schemes.tier]"),
        "{said}"
    );
    case.pipeline(&schemes("names = { 7 = \"nobody\" }", TIERS));
    let arguments = case.arguments("run", &["--as-of", "2026-02-01", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 0).stderr).unwrap();
    assert!(
        said.contains("there is no cluster 7 that could be called `nobody`"),
        "{said}"
    );
}
