"""The questions of docs/bi.md, run in DuckDB from another folder and compared with a computation in pandas from the tables' files.

Usage: questions.py STORE DOCUMENT      (needs duckdb, pandas, pyarrow)

The SQL is taken unchanged from the section "Six questions" of the document. pandas reads the files of the versions that
`catalog.parquet` does not mark as superseded, and never the views. Exit code 1 if an answer differs; money within a relative difference of 1e-9.
"""

import calendar
import datetime
import glob
import json
import math
import os
import re
import sys
import tempfile

import duckdb
import pandas


def statements(document):
    with open(document, encoding="utf-8") as file:
        section = file.read().split("\n## Six questions\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)


def month_before(day):
    last = day.replace(day=1) - datetime.timedelta(days=1)
    return last.replace(day=calendar.monthrange(last.year, last.month)[1])


class Store:
    def __init__(self, path):
        self.path = path
        self.catalogue = pandas.read_parquet(os.path.join(path, "catalog.parquet"), dtype_backend="pyarrow")
        self.shown = self.catalogue[self.catalogue.superseded_by.isna()].sort_values("as_of")

    def tables(self, name):
        """The rows of a table for each day, oldest first."""
        for version in self.shown.itertuples():
            folder = os.path.join(self.path, "data", f"as_of={version.as_of}", f"run={version.txid}")
            yield version.as_of, pandas.read_parquet(os.path.join(folder, name + ".parquet"), dtype_backend="pyarrow")

    def rows(self, name):
        """The same as lists of dictionaries, null as None."""
        for day, frame in self.tables(name):
            yield day, [{k: None if v is pandas.NA or v is None else v for k, v in row.items()} for row in frame.to_dict("records")]


def sizes(store):
    answer = []
    for day, rows in store.rows("segments"):
        members = dict()
        for row in dict(store.rows("memberships"))[day]:
            if row["scheme"] == "touch":
                members[row["segment"]] = members.get(row["segment"], 0) + 1
        ordered = sorted((row for row in rows if row["scheme"] == "touch"), key=lambda row: row["position"])
        total = sum(members.values())
        answer += [(day, row["segment"], members.get(row["segment"], 0), members.get(row["segment"], 0) / total) for row in ordered]
    return answer


def moves(store):
    of_day = {day: {row["customer_id"]: row["segment"] for row in rows if row["scheme"] == "touch"}
              for day, rows in store.rows("memberships")}
    counts = {}
    for day, now in of_day.items():
        before = of_day.get(month_before(day), {})
        for customer, segment in now.items():
            if before.get(customer, segment) != segment:
                key = (day, before[customer], segment)
                counts[key] = counts.get(key, 0) + 1
    return sorted(((*key, count) for key, count in counts.items()), key=lambda row: (row[0], -row[3], row[1], row[2]))


def lost(store):
    of_day = {day: {row["customer_id"]: row for row in rows} for day, rows in store.rows("customers")}
    parts = {}
    for day, now in of_day.items():
        for customer, row in of_day.get(month_before(day), {}).items():
            if customer in now:
                before, left = parts.setdefault((day, row["touch"]), ([], []))
                if row["value_now"] is not None:
                    before.append(row["value_now"])
                    left.append(max(row["value_now"] - (now[customer]["value_now"] or 0), 0))
    answer = [(*key, math.fsum(before), math.fsum(left)) for key, (before, left) in parts.items()]
    return sorted(answer, key=lambda row: (row[0], -row[3]))


def grid(store):
    cells = {}
    for row in list(store.rows("customers"))[-1][1]:
        if row["rfm_score"] is not None:
            key = (int(row["rfm_score"][0]), int(row["rfm_score"][1]))
            cells.setdefault(key, []).append(row["value_now"])
    answer = [(*key, len(values), math.fsum(v for v in values if v is not None)) for key, values in cells.items()]
    return sorted(answer, reverse=True)


def calls(store):
    """From customers, memberships and the playbooks of the segments, without `actions`."""
    day, customers = list(store.rows("customers"))[-1]
    worth = {row["customer_id"]: (row["value_now"], row["value_at_risk"]) for row in customers}
    segments = {(row["scheme"], row["segment"]): row for row in dict(store.rows("segments"))[day]}
    of_playbook = {}
    for row in dict(store.rows("memberships"))[day]:
        segment = segments[row["scheme"], row["segment"]]
        if segment["owner"] == "account-management":
            now, at_risk = worth[row["customer_id"]]
            rank = (-(at_risk if at_risk is not None else -math.inf), -(now if now is not None else -math.inf), row["customer_id"])
            line = (row["customer_id"], segment["playbook"], segment["goal"], row["reason"], now, at_risk)
            of_playbook.setdefault(segment["playbook"], []).append((rank, line))
    answer = []
    for _, lines in sorted(of_playbook.items()):
        lines.sort(key=lambda pair: pair[0])
        answer += [(priority, *line) for priority, (_, line) in enumerate(lines, 1)]
    return answer[:20]


def freshness(store):
    day, sources = list(store.rows("sources"))[-1]
    version = store.shown[store.shown.as_of == day].iloc[-1]
    with open(os.path.join(store.path, "commits", f"{version.version:020d}.json"), encoding="utf-8") as file:
        finished = json.load(file)["finished_at"]
    published = datetime.datetime.fromisoformat(finished).astimezone(datetime.timezone.utc).replace(tzinfo=None)
    sources.sort(key=lambda row: (row["age_hours"] is None, -(row["age_hours"] or 0), row["source"]))
    stamp = lambda value: None if value is None else pandas.Timestamp(value).to_pydatetime()
    return [(day, version.version, published, row["source"], stamp(row["newest_event"]), row["age_hours"], row["status"])
            for row in sources]


def alike(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    store, questions = os.path.abspath(sys.argv[1]), statements(sys.argv[2])
    expected = [sizes, moves, lost, grid, calls, freshness]
    if len(questions) != len(expected):
        sys.exit(f"FAIL {len(questions)} questions instead of {len(expected)}")
    with open(os.path.join(store, "views", "duckdb.sql"), encoding="utf-8") as file:
        views = file.read()
    failures = 0
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        with duckdb.connect("saved.duckdb") as db:
            db.execute(views)
        db = duckdb.connect("saved.duckdb", read_only=True)
        versions = db.execute("select version from runs order by 1").fetchall()
        if versions != [(number,) for number in sorted(Store(store).catalogue.version)]:
            print(f"FAIL runs: {versions}")
            failures += 1
        dictionary = set(db.execute("select name from latest.features where label <> '' and definition <> ''").fetchall())
        columns = {row[0] for row in db.execute("describe latest.customers").fetchall()}
        if not dictionary or not {name for (name,) in dictionary} <= columns:
            print(f"FAIL features: {sorted(dictionary)[:5]} …")
            failures += 1
        for statement, answer in zip(questions, expected):
            got, wanted = db.execute(statement).fetchall(), answer(Store(store))
            wrong = [pair for pair in zip(wanted, got) if len(pair[0]) != len(pair[1]) or not all(map(alike, *pair))]
            fits = wanted and len(got) == len(wanted) and not wrong
            note = "" if fits else f"; {len(got)} rows instead of {len(wanted)}, {len(wrong)} differ: {wrong[:1]}"
            print(f"{'ok  ' if fits else 'FAIL'} {answer.__name__}: {len(wanted)} rows{note}")
            failures += not fits
    readable = [path for path in glob.glob(os.path.join(store, "reports", "*.html"))]
    tables = os.stat(glob.glob(os.path.join(store, "latest", "customers.parquet"))[0]).st_mode
    if not readable or any(os.stat(path).st_mode != tables for path in readable):
        print("FAIL reports: not as readable as the tables")
        failures += 1
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
