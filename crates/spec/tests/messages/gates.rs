//! Messages about `[gates]`, `[[expect]]`, `[memberships]` and names of clusters.

use super::family;

#[test]
fn limits_expectations_and_names() {
    assert_told!(family(&[
        (
            "a share above 1",
            "[playbooks.rescue]",
            "[gates]\nstable = { min_jaccard = 75 }\n\n[playbooks.rescue]",
        ),
        (
            "a limit without what it limits",
            "[playbooks.rescue]",
            "[gates]\nactionable = { min_reachable = 0.5 }\n\n[playbooks.rescue]",
        ),
        (
            "criteria of no scheme",
            "[playbooks.rescue]",
            "[gates.schemes.tuoch]\nstable = { max_psi = 0.1 }\n\n[playbooks.rescue]",
        ),
        (
            "no KPI",
            "[playbooks.rescue]",
            "[gates]\ndistinguishable = { kpis = [] }\n\n[playbooks.rescue]",
        ),
        (
            "nothing is expected",
            "[playbooks.rescue]",
            "[[expect]]\ncustomer = \"a\"\n\n[playbooks.rescue]",
        ),
        (
            "two subjects",
            "[playbooks.rescue]",
            "[[expect]]\ncustomer = \"a\"\ntable = \"customers\"\nrows = 1\n\n[playbooks.rescue]",
        ),
        (
            "limits and a value",
            "[playbooks.rescue]",
            "[[expect]]\ncustomer = \"a\"\ntier = { at_least = 1, missing = true }\n\n[playbooks.rescue]",
        ),
        (
            "a segment of no scheme",
            "[playbooks.rescue]",
            "[[expect]]\nsegment = \"rescue\"\ncustomers = 1\n\n[playbooks.rescue]",
        ),
        (
            "a cluster without a number",
            "k = \"auto\"",
            "k = \"auto\"\nnames = { first = \"a\" }",
        ),
        (
            "a stay that is no number of days",
            "[playbooks.rescue]",
            "[memberships]\nmin_stay = { touch = \"1 month\" }\n\n[playbooks.rescue]",
        ),
    ]));
}
