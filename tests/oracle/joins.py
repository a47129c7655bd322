"""Joins of generated lakes, run by tessera and compared with DuckDB.

Usage: joins.py TESSERA [--count 200] [--seed 1] [--keep DIR]     (Python 3.11, tests/oracle/requirements.txt)

Each seed makes events and a lookup (keys of one or several columns and types, nulls, keys that are missing on either side, repeated
rows, times with ties), joins them in the pipeline, and compares every customer's features with DuckDB's LEFT JOIN and ASOF JOIN. The
same join, made by DuckDB in the lake beforehand, must give the same bytes of `customers`. The exit code is 1 if one failed.
"""

import argparse
import datetime
import os
import random
import shutil
import subprocess
import sys
import tempfile

import duckdb

AS_OF = datetime.date(2026, 10, 31)
KINDS = ("int", "text", "date", "decimal", "bool")
TYPES = {"int": "bigint", "text": "varchar", "date": "date", "decimal": "decimal(12,2)", "bool": "boolean"}
DECLARED = {"int": '"i64"', "text": '"string"', "date": '"date"', "decimal": '"decimal(12,2)"', "bool": '"bool"'}


def value(rng, kind):
    if rng.random() < 0.08:
        return None
    number = rng.randrange(6)
    return {
        "int": number - 2,
        "text": ["", "a", "ab", "b", "A", "ä"][number] or None,
        "date": datetime.date(2026, 9, 1) + datetime.timedelta(days=number),
        "decimal": f"{number - 2}.{number}0",
        "bool": number % 2 == 0,
    }[kind]


def time(rng):
    moment = datetime.datetime(2026, 9, 20) + datetime.timedelta(days=rng.randrange(50), hours=6 * rng.randrange(4))
    return moment


class Lake:
    """The tables in DuckDB, and their declarations."""

    def __init__(self, seed):
        rng = self.rng = random.Random(seed)
        self.kinds = [rng.choice(KINDS) for _ in range(rng.randint(1, 3))]
        self.as_of = rng.random() < 0.5
        self.timed = self.as_of or rng.random() < 0.3
        self.format = rng.choice(["parquet", "csv"])
        self.derived_key = self.kinds[0] == "text" and rng.random() < 0.5
        self.db = duckdb.connect()
        self.db.execute("set TimeZone = 'UTC'")
        self.events()
        self.lookup()

    def events(self):
        rng = self.rng
        keys = ", ".join(f"k{i} {TYPES[kind]}" for i, kind in enumerate(self.kinds))
        self.db.execute(f"create table events (customer varchar, seen timestamp, amount bigint, {keys})")
        for _ in range(rng.randint(1, 60)):
            row = [f"c{rng.randrange(8)}", time(rng), rng.randint(-50, 50)] + [value(rng, kind) for kind in self.kinds]
            self.db.execute(f"insert into events values ({', '.join('?' * len(row))})", row)

    def lookup(self):
        """Rows of one key (and time) have the same joined values, or different times."""
        rng = self.rng
        keys = ", ".join(f"key{i} {TYPES[kind]}" for i, kind in enumerate(self.kinds))
        self.db.execute(f"create table found (since timestamp, rate bigint, label varchar, {keys})")
        values = {}
        for _ in range(rng.randint(0, 40)):
            key = [value(rng, kind) for kind in self.kinds]
            since = None if not self.timed or rng.random() < 0.1 else time(rng)
            told = values.setdefault((str(key), since), (rng.choice([None, rng.randint(1, 9)]), rng.choice(["x", "y", None])))
            for _ in range(rng.choice([1, 1, 1, 2])):
                row = [since, *told, *key]
                self.db.execute(f"insert into found values ({', '.join('?' * len(row))})", row)

    def own(self, i):
        return f"upper(k{i})" if self.derived_key and i == 0 else f"k{i}"

    def joined(self):
        """The events joined by DuckDB."""
        equal = " and ".join(f"{self.own(i)} = key{i}" for i in range(len(self.kinds)))
        visible = f"since is null or since < date '{AS_OF}' + interval 1 day"
        if self.as_of:
            once = "select distinct * replace (coalesce(since, timestamp '0001-01-01') as since) from found where " + visible
            sql = f"select e.*, f.rate, f.label, f.since is not null as hit from events e asof left join ({once}) f on {equal} and e.seen >= f.since"
        else:
            names = ", ".join(f"key{i}" for i in range(len(self.kinds)))
            once = f"select * from found where {visible} qualify row_number() over (partition by {names} order by since desc nulls last) = 1"
            sql = f"select e.*, f.rate, f.label, f.key0 is not null as hit from events e left join ({once}) f on {equal}"
        return f"select * from ({sql}) where seen < date '{AS_OF}' + interval 1 day"

    def write(self, folder, table, sql, files):
        """Writes one or several files, in an order without meaning."""
        path = os.path.join(folder, table)
        os.makedirs(path)
        rows = self.db.execute(f"select count(*) from ({sql})").fetchone()[0]
        self.db.execute(f"create or replace temp table written as select *, row_number() over () as n from ({sql})")
        for number in range(files):
            name = os.path.join(path, f"{number}.{self.format}")
            part = f"select * exclude (n) from written where n % {files} = {number}"
            if number > 0 and rows == 0:
                continue
            options = "(format parquet)" if self.format == "parquet" else "(format csv, header)"
            self.db.execute(f"copy ({part}) to '{name}' {options}")


def pipeline(lake, joined):
    keys = [f"key{i}" for i in range(len(lake.kinds))]
    names = ["own0" if lake.derived_key and i == 0 else f"k{i}" for i in range(len(lake.kinds))]
    declared = ", ".join(f"k{i} = {DECLARED[kind]}" for i, kind in enumerate(lake.kinds))
    extra = ', rate = "i64", label = "string"' if joined else ""
    own = 'own0 = "upper(k0)"\n' if lake.derived_key else ""
    text = f"""spec_version = 1
name = "lake"
timezone = "UTC"
currency = "EUR"
store = "${{out}}"
[vars]
lake = "."
out = "."
[customer]
key = "customer_id"
[sources.events]
kind = "events"
path = "${{lake}}/events"
key = "customer"
time = "seen"
time_zone = "UTC"
purchase = "true"
[sources.events.derive]
{own}value = "amount * coalesce(rate, 1)"
[sources.events.contract]
columns = {{ customer = "string", seen = "timestamp", amount = "i64", {declared}{extra} }}
missing_key = "quarantine"
[features]
use = ["rfm"]
orders = "events"
n = {{ from = "events", agg = "count" }}
hits = {{ from = "events", agg = "count", of = "rate" }}
worth = {{ from = "events", agg = "sum", of = "value" }}
kinds = {{ from = "events", agg = "count_distinct", of = "label" }}
of_x = {{ from = "events", agg = "sum", of = "amount", where = "label = 'x'" }}
latest = {{ from = "events", agg = "max", of = "rate" }}
"""
    if joined:
        return text
    on = ", ".join(f'{name} = "{key}"' for name, key in zip(names, keys))
    listed = ", ".join(f'"{key}"' for key in keys)
    declared = ", ".join(f"key{i} = {DECLARED[kind]}" for i, kind in enumerate(lake.kinds))
    time = 'time = "since"\ntime_zone = "UTC"\n' if lake.timed else ""
    since = ', since = "timestamp"' if lake.timed else ""
    as_of = 'as_of = "seen"\n' if lake.as_of else ""
    return f"""{text}[sources.events.join.found]
on = {{ {on} }}
columns = ["rate", "label"]
{as_of}[sources.found]
kind = "lookup"
path = "${{lake}}/found"
key = [{listed}]
{time}[sources.found.contract]
columns = {{ rate = "i64", label = "string", {declared}{since} }}
missing_key = {{ on_fail = "drop", max_rejected = "100%" }}
"""


def run(program, folder, text, lake):
    path = os.path.join(folder, "pipeline.toml")
    with open(path, "w") as file:
        file.write(text)
    done = subprocess.run(
        [program, "run", path, "--as-of", str(AS_OF), "--var", f"lake={lake}", "--var", f"out={folder}/store", "--quiet"],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}\n{done.stderr}")
    return os.path.join(folder, "store", "latest")


def check(program, seed, folder):
    lake = Lake(seed)
    db = lake.db
    visible = db.execute(f"select count(*) from ({lake.joined()})").fetchone()[0]
    if visible == 0:
        return False
    ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
    lake.write(ours, "events", "select * from events", lake.rng.randint(1, 3))
    lake.write(ours, "found", "select * from found", lake.rng.randint(1, 2))
    lake.write(theirs, "events", f"select * exclude (hit) from ({lake.joined()})", 1)
    published = run(program, ours, pipeline(lake, False), ours)
    value = "amount * coalesce(rate, 1)"
    expected = db.execute(
        f"""select customer, count(*), count(rate), sum({value}), count(distinct label),
            coalesce(sum(amount) filter (label = 'x'), 0), max(rate) from ({lake.joined()}) group by 1 order by 1"""
    ).fetchall()
    got = db.execute(
        f"select customer_id, n, hits, worth, kinds, of_x, latest from read_parquet('{published}/customers.parquet') order by 1"
    ).fetchall()
    assert [tuple(map(str, row)) for row in got] == [tuple(map(str, row)) for row in expected], f"\n{expected}\n{got}"
    missed = db.execute(f"select count(*) from ({lake.joined()}) where not hit").fetchone()[0]
    counted, rows, file_rows = db.execute(
        f"select unmatched, used, file_rows - future from read_parquet('{published}/sources.parquet') where source = 'events'"
    ).fetchone()
    assert (counted, rows, file_rows) == (missed, visible, visible), f"unmatched {counted} {missed}, {rows} {file_rows} {visible}"
    other = run(program, theirs, pipeline(lake, True), theirs)
    with open(f"{published}/customers.parquet", "rb") as a, open(f"{other}/customers.parquet", "rb") as b:
        assert a.read() == b.read(), "the same join made in the lake gives other bytes"
    return True


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tessera")
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep")
    given = arguments.parse_args()
    failed = checked = 0
    for seed in range(given.seed, given.seed + given.count):
        folder = os.path.join(given.keep, str(seed)) if given.keep else tempfile.mkdtemp(prefix="joins-")
        try:
            checked += check(os.path.abspath(given.tessera), seed, folder)
            shutil.rmtree(folder)
        except Exception as problem:  # noqa: BLE001
            failed += 1
            print(f"seed {seed} ({folder}): {problem}")
    print(f"{checked} lakes, {failed} failed")
    sys.exit(1 if failed or checked < given.count / 2 else 0)


if __name__ == "__main__":
    main()
