"""Aggregates of values of every type, computed by tessera and compared with DuckDB and numpy.

Usage: aggregates.py TESSERA AGGREGATE... [--seed 1]     (Python 3.11, tests/oracle/requirements.txt)

A lake has customers with no value, with one, with many equal ones, and one customer with a large part of all rows. Every aggregate is
computed over every column that it takes, over all rows, in a window and with a condition. The published bytes must be the same with
1, 2 and 5 threads, with files in another order, and with a memory limit at which values are written to files. The exit code is 1 if a
value differs.
"""

import argparse
import collections
import hashlib
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile

import duckdb
import numpy

AS_OF = "2026-10-31"
NUMBERS, ORDERED = ["whole", "price", "large", "weight"], ["day", "moment"]
ALL = NUMBERS + ORDERED + ["label", "flag"]


def mode(values, _):
    """The most frequent value; of equally frequent ones the smallest, texts byte by byte."""
    counts = collections.Counter(values)
    most = max(counts.values())
    return min((value for value in counts if counts[value] == most), key=lambda value: value.encode() if isinstance(value, str) else value)


def quantile(values, keys):
    return float(numpy.quantile([float(value) for value in values], float(keys.rsplit(" ", 1)[1]), method="linear"))


# Columns that an aggregate takes, further keys of the feature, and its answer: SQL over rows, of which `{x}` are the values.
AGGREGATES = {
    "count_distinct": (ALL, [""], "count(distinct {x})"),
    "median": (NUMBERS, [""], "median({x})"),
    "mode": (ALL, [""], mode),
    "quantile": (NUMBERS, [", q = 0", ", q = 0.1", ", q = 0.25", ", q = 0.5", ", q = 0.9", ", q = 1"], quantile),
}
WINDOWS = {
    "": "true",
    ', window = "40d"': f"moment::date > date '{AS_OF}' - 40",
    ", where = \"whole > 1 or whole is null\"": "(whole > 1 or whole is null)",
}


def lake(db, folder, seed):
    """Rows of customers in three files."""
    rng = random.Random(seed)
    texts = ["", "a", "ab", "b", "B", "ä", "a text that is longer than twelve bytes", "a text that is longer than others"]
    rows = []

    def row(customer, spread):
        def some(value):
            return None if rng.random() < 0.1 else value
        number = rng.randrange(-spread, spread)
        moment = f"2026-{rng.randrange(7, 11):02}-{rng.randrange(1, 29):02} {rng.randrange(24):02}:00:00"
        weight = rng.choice([number / 7, -0.0, 0.0, 1e15 + number, number * 1e-9, math.nan])
        rows.append((
            customer, moment, some(number), some(f"{number}.{abs(number) % 4}5"), some(str(10**28 + number)), some(weight),
            some(f"2026-09-{1 + number % 28:02}"), some(texts[number % len(texts)]), some(number % 2 == 0),
        ))

    for number in range(300):
        spread = rng.choice([1, 3, 10, 1000])
        for _ in range(rng.choice([1, 2, 3, 4, 7, 40])):
            row(f"c{number}", spread)
    for number in range(5):
        for _ in range(number + 1):
            rows.append((f"none{number}", "2026-10-05 01:00:00") + (None,) * 7)
    for number in range(200_000):
        row("most", 5 if number % 2 else 100_000)
    rng.shuffle(rows)
    os.makedirs(folder)
    db.execute(
        "create or replace table rows (customer varchar, moment timestamp, whole bigint, price decimal(12, 2), large decimal(38, 4), "
        "weight double, day date, label varchar, flag boolean)"
    )
    import pandas
    names = ["customer", "moment", "whole", "price", "large", "weight", "day", "label", "flag"]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    frame = pandas.DataFrame({name: pandas.Series(values, dtype=object) for name, values in columns.items()})
    db.register("frame", frame)
    db.execute("insert into rows select * from frame")
    for part in range(3):
        db.execute(f"copy (select * from rows where hash(customer, moment) % 3 = {part}) to '{folder}/{part}.parquet' (row_group_size 20000)")
    # What is no number counts as no value.
    db.execute("update rows set weight = null where isnan(weight)")


def features(names):
    """The features with their columns, keys and conditions."""
    made = {}
    for name in names:
        columns, further, answer = AGGREGATES[name]
        for column in columns:
            for keys in further:
                for place, (window, condition) in enumerate(WINDOWS.items()):
                    feature = f"f{len(made)}"
                    text = f'{{ from = "orders", agg = "{name}", of = "{column}"{keys}{window} }}'
                    made[feature] = (text, column, answer, keys, condition)
    return made


def pipeline(folder, made):
    lines = "\n".join(f"{name} = {text}" for name, (text, *_) in made.items())
    with open(f"{folder}/p.toml", "w") as out:
        out.write(f"""spec_version = 1
name = "aggregates"
timezone = "UTC"
currency = "EUR"
store = "${{out}}"
[vars]
lake = "lake"
out = "store"
[customer]
key = "customer"
[sources.orders]
kind = "events"
path = "${{lake}}"
key = "customer"
time = "moment"
time_zone = "UTC"
contract = {{ missing_key = "fail", duplicates = "keep", columns = {{ large = "decimal(38, 4)" }} }}
[features]
{lines}
""")


def run(tessera, folder, lake, name, *arguments):
    """The bytes that a run publishes of the customers, and the table."""
    out = f"{folder}/store of {name}"
    command = [tessera, "run", f"{folder}/p.toml", "--as-of", AS_OF, "--var", f"lake={lake}", "--var", f"out={out}", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    table = f"{out}/latest/customers.parquet"
    with open(table, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest(), table


def expected(db, column, answer, keys, condition):
    """By customer."""
    if callable(answer):
        values = {}
        for customer, value in db.execute(f"select customer, {column} from rows where {condition} and {column} is not null").fetchall():
            values.setdefault(customer, []).append(value)
        return {customer: answer(values[customer], keys) for customer in values}
    sql = answer.format(x=column)
    return dict(db.execute(f"select customer, {sql} from rows where {condition} group by customer").fetchall())


def same(found, wanted):
    if isinstance(found, float) and wanted is not None:
        return math.isclose(found, float(wanted), rel_tol=1e-14, abs_tol=1e-300)
    return found == wanted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tessera")
    parser.add_argument("aggregates", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    folder = tempfile.mkdtemp()
    db = duckdb.connect()
    lake(db, f"{folder}/lake", chosen.seed)
    made = features(chosen.aggregates)
    pipeline(folder, made)
    first, table = run(chosen.tessera, folder, f"{folder}/lake", "one", "--threads", "1")
    wrong = checked = 0
    for name, (text, column, answer, keys, condition) in made.items():
        wanted = expected(db, column, answer, keys, condition)
        for customer, found in db.execute(f"select customer, {name} from '{table}'").fetchall():
            other = wanted.get(customer, 0 if "count" in text else None)
            checked += 1
            if not same(found, other):
                wrong += 1
                if wrong <= 20:
                    print(f"{text} of {customer}: {found!r}, but {other!r}")
    os.makedirs(f"{folder}/other")
    for part in range(3):
        shutil.copy(f"{folder}/lake/{part}.parquet", f"{folder}/other/{9 - part}.parquet")
    for case, place, arguments in [
        ("two", "lake", ["--threads", "2"]), ("five", "lake", ["--threads", "5"]), ("other", "other", []),
        ("memory", "lake", ["--threads", "2", "--memory", "224MiB"]),
    ]:
        found, _ = run(chosen.tessera, folder, f"{folder}/{place}", case, *arguments)
        if found != first:
            wrong += 1
            print(f"{case}: other bytes")
    shutil.rmtree(folder)
    print(f"{checked} values, {wrong} wrong")
    sys.exit(1 if wrong or not checked else 0)


if __name__ == "__main__":
    main()
