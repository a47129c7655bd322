"""The KPI of every version of a store, computed a second time: the mean of a churn probability over those who can churn.

Usage: kpi.py PIPELINE LAKE STORE      (needs Python 3.11 and duckdb, pyarrow)

Who can churn at the day of a version is read from the lake: customers with an event within one horizon before it. For each version
the mean of the published probability over exactly these customers must be the KPI of the report's first page, unrounded, and its
change the difference to the version before; the mean over their members must be `segments.kpi` for every segment of every scheme,
and `kpi_customers` their number. Exit code 1 on any difference. Shares no code with tessera.
"""

import re
import sys
from datetime import date
from pathlib import Path

import duckdb

from features import Source, days, load_pipeline, quoted

TOLERANCE = 1e-9
failures = 0


def check(what, expected, found):
    global failures
    same = found is not None and abs(expected - found) <= TOLERANCE
    failures += not same
    print(f"{'ok  ' if same else 'FAIL'} {what}: {found}" + ("" if same else f", expected {expected}"))


def living(pipeline, spec, day):
    """Keys with an event in the horizon before the close of a day."""
    db = duckdb.connect()
    source = Source(db, spec["from"], pipeline["sources"][spec["from"]], pipeline["timezone"], day)
    begin = f"date '{day}' - {days(spec['horizon'])}"
    return [row[0] for row in db.execute(
        f"select distinct _key from {source.table} where _day <= date '{day}' and _day > {begin}").fetchall()]


def headline(report, column):
    """A number of the figure of the KPI on the first page."""
    figure = next(f for f in re.split(r'<div class="figure', report) if 'data-c="kpi"' in f)
    found = re.search(rf'<data value="([^"]*)" data-c="{column}"', figure)
    return float(found[1]) if found else None


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    path, lake, store = sys.argv[1:]
    pipeline = load_pipeline(path, lake)
    kpi, key = pipeline["goal"]["kpi"], pipeline["customer"]["key"]
    spec = pipeline["scores"][kpi.removesuffix("_probability")]
    db = duckdb.connect()
    versions = db.execute(f"select version, as_of from '{store}/catalog.parquet' group by all order by as_of").fetchall()
    before = None
    for version, day in versions:
        folder = next(Path(store, f"data/as_of={day}").iterdir())
        db.execute("create or replace table living (key varchar)")
        db.executemany("insert into living values (?)", [[str(k)] for k in living(pipeline, spec, date.fromisoformat(str(day)))])
        # Left joined: a customer who can churn but has no probability, or the other way round, is a difference.
        alive, mean, odd = db.execute(f"""
            select count(l.key), avg(c.{quoted(kpi)}) filter (l.key is not null),
                   count(*) filter ((l.key is null) <> (c.{quoted(kpi)} is null))
            from '{folder}/customers.parquet' c left join living l on l.key = cast(c.{quoted(key)} as varchar)""").fetchone()
        check(f"{day}: customers who can churn and have no probability, or the other way round", 0, odd)
        report = Path(store, f"reports/version-{version}.html").read_text()
        check(f"{day}: KPI over {alive} customers who can churn", mean, headline(report, "kpi"))
        if before is not None:
            check(f"{day}: its change", mean - before, headline(report, "change"))
        before = mean
        for scheme in pipeline["schemes"]:
            wrong = db.execute(f"""
                select count(*) from (select * from '{folder}/segments.parquet' where scheme = '{scheme}') s full join (
                  select {quoted(scheme)} as segment, avg(c.{quoted(kpi)}) as kpi, count(l.key) as members
                  from '{folder}/customers.parquet' c join living l on l.key = cast(c.{quoted(key)} as varchar) group by 1) o
                using (segment) where (s.kpi is null) <> (o.kpi is null) or abs(s.kpi - o.kpi) > {TOLERANCE}
                  or coalesce(s.kpi_customers, 0) <> coalesce(o.members, 0)""").fetchone()[0]
            check(f"{day}: segments of {scheme} with another KPI", 0, wrong)
    if not versions:
        sys.exit(f"no version in {store}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
