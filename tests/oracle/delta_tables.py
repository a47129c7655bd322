"""Delta tables as delta-rs writes them, read by tessera and by delta-rs.

Usage: delta_tables.py TESSERA FOLDER     (Python 3.11, tests/oracle/requirements.txt)

Each table has a history of overwrites, deletes, schema merges and checkpoints; the sums that tessera publishes per customer must be
those of the table's current version. Tables with unsupported features are rejected with the name of the feature. The exit code is
1 if one differs.
"""

import datetime
import json
import os
import random
import shutil
import subprocess
import sys

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

PIPELINE = """
spec_version = 1
name = "shop"
timezone = "UTC"
currency = "EUR"
store = "${out}/shop"
[vars]
out = "."
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "${out}/PATH"
key = "id"
time = "day"
[sources.orders.contract]
columns = { id = "string", day = "date", amount = "f64" }
missing_key = "quarantine"
[features]
order_rows = { from = "orders", agg = "count" }
spend = { from = "orders", agg = "sum", of = "amount" }
[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "order_rows > 10" }]
otherwise = "small"
"""


def rows(rng, count):
    day = datetime.date(2026, 10, 1)
    return pa.table(
        {
            "id": [rng.choice("abcdefg") for _ in range(count)],
            "day": [day + datetime.timedelta(days=rng.randrange(6)) for _ in range(count)],
            "amount": [float(rng.randrange(100)) / 4 for _ in range(count)],
            "country": [rng.choice(["DE", "Côte d'Ivoire", "100%", "a=b/c", None]) for _ in range(count)],
        }
    )


def history(path, rng, partition_by, versions):
    """Writes a table with this many versions."""
    write_deltalake(path, rows(rng, 20), partition_by=partition_by)
    while DeltaTable(path).version() < versions:
        what = rng.choice(["append", "append", "overwrite", "delete", "optimize", "checkpoint", "widen"])
        table = DeltaTable(path)
        if what in ("append", "overwrite"):
            modes = {"append": "merge", "overwrite": "overwrite"}
            write_deltalake(path, rows(rng, rng.randrange(1, 20)), mode=what, schema_mode=modes[what], partition_by=partition_by)
        elif what == "delete":
            table.delete(f"id = '{rng.choice('abcdefg')}'")
        elif what == "optimize":
            table.optimize.compact()
        elif what == "checkpoint":
            table.create_checkpoint()
            write_deltalake(path, rows(rng, 2), mode="append", schema_mode="merge")
        else:
            more = rows(rng, 5)
            more = more.append_column("channel", pa.array(["app"] * 5))
            write_deltalake(path, more, mode="append", schema_mode="merge")


def tessera(program, folder, path, command="run"):
    pipeline = os.path.join(folder, "shop.toml")
    with open(pipeline, "w", encoding="utf-8") as file:
        file.write(PIPELINE.replace("PATH", path))
    shutil.rmtree(os.path.join(folder, "shop"), ignore_errors=True)
    call = [program, command, pipeline, "--var", f"out={folder}"]
    if command == "run":
        call += ["--as-of", "2026-10-31"]
    return subprocess.run(call, capture_output=True, text=True)


def current(path):
    now = DeltaTable(path).to_pyarrow_table()
    return duckdb.sql("select id, count(*), sum(amount) from now group by 1 order by 1").fetchall()


def main():
    program, folder = sys.argv[1:3]
    problems = []
    for seed in range(12):
        rng = random.Random(seed)
        name = f"table {seed}"
        path = os.path.join(folder, name)
        partition_by = [None, ["country"], ["day"], ["country", "day"]][seed % 4]
        history(path, rng, partition_by, versions=rng.choice([3, 14, 25]))
        if seed % 3 == 0:
            # The log before a checkpoint may be deleted.
            DeltaTable(path).create_checkpoint()
            DeltaTable(path).cleanup_metadata()
        expected = current(path)
        done = tessera(program, folder, name)
        if done.returncode != 0:
            problems.append(f"{name}: exit {done.returncode}\n{done.stderr}")
            continue
        customers = os.path.join(folder, "shop/latest/customers.parquet")
        got = duckdb.sql(f"select id, order_rows, spend from '{customers}' order by 1").fetchall()
        if got != expected:
            problems.append(f"{name}: expected {expected}, published {got}")
    problems += refusals(program, folder, "table 0")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def refusals(program, folder, name):
    """The messages about tables, and parts of tables, that are not read."""
    problems = []

    def expect(path, said):
        done = tessera(program, folder, path, "check")
        if done.returncode in (0, 1) or said not in done.stderr:
            problems.append(f"{path}: expected {said!r}, exit {done.returncode}\n{done.stderr}")

    expect(f"{name}/*.parquet", "is a table in the format Delta")
    log = os.path.join(folder, name, "_delta_log")
    version = DeltaTable(os.path.join(folder, name)).version() + 1
    for protocol in (
        {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["variantType"], "writerFeatures": ["variantType"]},
        {"minReaderVersion": 9, "minWriterVersion": 7},
    ):
        with open(os.path.join(log, f"{version:020}.json"), "w", encoding="utf-8") as file:
            file.write(json.dumps({"protocol": protocol}) + "\n")
        expect(name, "variantType" if "readerFeatures" in protocol else "reader version 9")
    return problems


if __name__ == "__main__":
    sys.exit(main())
