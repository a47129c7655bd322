"""Closed accounts: who is active, computed a second time with DuckDB from the lake and compared with the published tables.

Usage: active.py PIPELINE LAKE VERSION_FOLDER AS_OF      (needs Python 3.11 and duckdb, pyarrow)

For pipelines whose `active` is `tenure_days is null or tenure_days <= N`. Checked are the counts of the base; the size of the
population of every supervised score at `as_of` and at its observation dates, each with the base of that date: whoever has an event
within the horizon before it, or a running interval; members,
shares and KPIs of segments over active customers. Exit code 1 on any difference.
"""

import re
import sys
from datetime import date, timedelta

import duckdb

from features import Source, days, load_pipeline, quoted

failures = 0


def check(what, expected, found):
    global failures
    same = expected == found
    failures += not same
    print(f"{'ok  ' if same else 'FAIL'} {what}: {found}" + ("" if same else f", expected {expected}"))


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    path, lake, folder, day = sys.argv[1:]
    as_of, pipeline, db = date.fromisoformat(day), load_pipeline(path, lake), duckdb.connect()
    longest = int(re.fullmatch(r"tenure_days is null or tenure_days <= (\d+)", pipeline["customer"]["active"])[1])
    source = Source(db, "orders", pipeline["sources"]["orders"], pipeline["timezone"], as_of)
    key, customers = quoted(pipeline["customer"]["key"]), f"'{folder}/customers.parquet'"
    first = f"(select _key, min(_day) as first from {source.table} group by 1)"

    def closed(on):
        return f"select _key from {first} where date '{on}' - first > {longest} and first <= date '{on}'"

    wrong = db.execute(f"select count(*) from {customers} where active <> ({key} not in ({closed(as_of)}))").fetchone()[0]
    check("customers with another standing", 0, wrong)
    counts = db.execute(f"select count(*), count(*) filter (active), count(*) filter (not active) from {customers}").fetchone()
    published = dict(db.execute(f"select metric, value from '{folder}/quality.parquet' where scheme = 'customers'").fetchall())
    check("counts of the base", counts, tuple(int(published[name]) for name in ("customers", "active", "closed")))

    for name, spec in pipeline["scores"].items():
        if spec["kind"] != "supervised":
            continue
        horizon = days(spec["horizon"])
        models = dict(db.execute(f"select name, value from '{folder}/models.parquet' where score = '{name}' and model = 'population'").fetchall())
        dates = [as_of] + [as_of - timedelta(horizon + back * horizon) for back in range(spec.get("observations", 4))]
        lost = pipeline["sources"][spec.get("from", "orders")]
        for on in dates:
            if lost["kind"] == "intervals":
                rows = Source(db, "lost", lost, pipeline["timezone"], on).table
                condition = f"{quoted(lost['until'])} is null"
            else:
                rows, condition = source.table, f"_day <= date '{on}' and _day > date '{on - timedelta(horizon)}'"
            living = db.execute(f"""select count(distinct _key) from {rows} where {condition}
                and _key not in ({closed(on)})""").fetchone()[0]
            check(f"{name}: could churn on {on}", float(living), models["customers" if on == as_of else f"{on} customers"])

    kpi = quoted(pipeline["goal"]["kpi"])
    for scheme in pipeline["schemes"]:
        wrong = db.execute(f"""
            select count(*) from (select * from '{folder}/segments.parquet' where scheme = '{scheme}') s full join (
              select {quoted(scheme)} as segment, count(*) as n, avg({kpi}) as kpi from {customers} where active group by 1) c
            using (segment) where s.customers <> coalesce(c.n, 0) or abs(s.share - coalesce(c.n, 0) / {counts[1]}) > 1e-12
            or (s.kpi is null) <> (c.kpi is null) or abs(s.kpi - c.kpi) > 1e-9 or s.segment is null""").fetchone()[0]
        check(f"segments of {scheme} with other members, share or KPI of the active", 0, wrong)
    members = db.execute(f"select count(*) from '{folder}/memberships.parquet' m join {customers} c using ({key}) where not c.active").fetchone()[0]
    check("memberships of closed accounts", 0, members)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
