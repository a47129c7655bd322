//! The HTML of each section over a version that can be checked by hand.

use crate::fixture;

fn section(name: &str) -> String {
    let mut input = fixture::version("Champions", "At Risk");
    input.before = fixture::before("Champions", "At Risk");
    fixture::section(&input, name)
}

macro_rules! shows {
    ($($name:ident),*) => { $(
        #[test]
        fn $name() {
            insta::assert_snapshot!(section(stringify!($name)));
        }
    )* };
}

shows!(
    headline, warnings, acting, moves, act_on, sizes, lifecycle, rfm_grid, cross, profiles, value,
    retention, spread, sources, rejects, models, dictionary
);
