//! The HTML of each section over a version that can be checked by hand.

use crate::fixture;

fn section(name: &str) -> String {
    fixture::section(&fixture::version("Champions", "At Risk"), name)
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
    headline, goal, sizes, lifecycle, rfm_grid, profiles, sources, rejects, models, dictionary
);
