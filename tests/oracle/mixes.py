"""Reads of several tables while runs publish: each documented way of reading gives tables of one version.

Usage: mixes.py STORE PROGRAM READS      (needs Python 3.11 and duckdb, pandas, pyarrow, polars)

PROGRAM is `tessera`. Every read uses one of the ways of docs/bi.md in turn and compares the days of several tables; if they differ
it is a mix. Prints reads, mixes, and versions seen; exit code 1 if there was a mix or fewer than two versions were seen.
"""

import json
import os
import subprocess
import sys

import duckdb
import pandas
import polars
import pyarrow.parquet as pq

TABLES = ["customers", "memberships", "segments", "profiles", "models", "sources"]


def views(store):
    """DuckDB with the views, the newest day: all tables in one query."""
    connection = duckdb.connect()
    connection.execute(open(f"{store}/views/duckdb.sql").read())
    parts = " union all ".join(f"select distinct as_of from latest.{table}" for table in TABLES)
    return connection.execute(parts).fetchall()


def history(store):
    """DuckDB with the views, all days: every table has the same days."""
    connection = duckdb.connect()
    connection.execute(open(f"{store}/views/duckdb.sql").read())
    parts = ", ".join(f"(select list(distinct as_of order by as_of) from {table})" for table in TABLES)
    row = connection.execute(f"select {parts}").fetchone()
    return [(tuple(days or ()),) for days in row]


def saved(store):
    """A DuckDB database that keeps the views, read again before each query."""
    with duckdb.connect(f"{store}.duckdb") as connection:
        connection.execute(open(f"{store}/views/duckdb.sql").read())
        parts = " union all ".join(f"select distinct as_of from latest.{table}" for table in TABLES)
        return connection.execute(parts).fetchall()


def by_command(store):
    """`tessera path`, then pandas."""
    folder = subprocess.run([PROGRAM, "path", store], check=True, capture_output=True, text=True).stdout.strip()
    return [(day,) for table in TABLES for day in pandas.read_parquet(f"{folder}/{table}.parquet")["as_of"].unique()]


def by_link(store):
    """`latest`, resolved once, then polars."""
    folder = os.path.realpath(f"{store}/latest")
    return [(day,) for table in TABLES for day in polars.read_parquet(f"{folder}/{table}.parquet")["as_of"].unique()]


def by_hint(store):
    """`LATEST`, read once, then pyarrow."""
    folder = f"{store}/{json.load(open(f'{store}/LATEST'))['folder']}"
    return [(day,) for table in TABLES for day in set(pq.read_table(f"{folder}/{table}.parquet")["as_of"].to_pylist())]


WAYS = [views, saved, by_command, by_link, by_hint]

# The history grows with every version, so it is read less often.
HISTORY_EVERY = 25

STORE, PROGRAM, READS = sys.argv[1], sys.argv[2], int(sys.argv[3])
mixes, seen = 0, set()
for number in range(READS):
    way = history if number % HISTORY_EVERY == 0 else WAYS[number % len(WAYS)]
    days = {str(day) for (day,) in way(STORE)}
    seen |= days
    if len(days) != 1:
        mixes += 1
        print(f"mix: {way.__name__}: {sorted(days)[:3]}", flush=True)
print(f"{READS} reads, {mixes} mixes, {len(seen)} states of the store seen")
sys.exit(1 if mixes or len(seen) < 2 else 0)
