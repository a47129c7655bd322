"""Generated lakes, run by tessera and compared with DuckDB.

Usage: lakes.py TESSERA [--count 2000] [--seed 1] [--keep DIR] [--only SEED]     (Python 3.11, tests/oracle/requirements.txt)

Each seed makes a small lake (columns, types, encodings, partitions, links, text formats, broken and repeated rows) and a pipeline
over it; `tessera run` must publish exactly the customers and values that DuckDB and exact arithmetic give, and every row must have
one outcome. The folders of failing seeds are kept. The exit code is 1 if one failed.
"""

import argparse
import collections
import os
import shutil
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from fractions import Fraction

import duckdb

import lake_maker
import lake_reading
from lake_answers import Answers

TOLERANCE = 1e-9
VISIBLE = ("used", "filtered", "quarantined", "dropped")


def same(agg, expected, got):
    """Exact where the published type is exact; a sum or chosen value published as float must be the nearest one."""
    if expected is None or got is None:
        return expected is None and got is None
    if isinstance(expected, bool) or isinstance(expected, str) or not isinstance(expected, (int, float, Decimal)):
        return type(expected) is type(got) and expected == got
    if isinstance(got, bool) or not isinstance(got, (int, float, Decimal)):
        return False
    if agg in ("mean", "std", "median") or isinstance(expected, float):
        return abs(float(expected) - float(got)) <= TOLERANCE * max(1.0, abs(float(expected)))
    if isinstance(got, float):
        return got == float(Fraction(expected))
    return Fraction(expected) == Fraction(got)


def published(folder, table):
    path = os.path.join(folder, "store", "lake", "latest", f"{table}.parquet")
    if not os.path.exists(path):
        path = os.path.join(folder, "store", "latest", f"{table}.parquet")
    return path


def compare(db, lake, answers, folder):
    """The differences, as texts."""
    names = ", ".join(f'"{f["name"]}"' for f in lake.features)
    got = {row[0]: row[1:] for row in db.execute(f"select customer_id, {names} from read_parquet('{published(folder, 'customers')}')").fetchall()}
    expected = answers.expected()
    problems = []
    if sorted(map(str, got)) != sorted(map(str, expected)):
        problems.append(f"customers: expected {sorted(map(str, expected))}, published {sorted(map(str, got))}")
    values = {str(k): v for k, v in got.items()}
    for key, row in expected.items():
        for feature, wanted, found in zip(lake.features, row, values.get(str(key), row)):
            if not same(feature["agg"], wanted, found):
                problems.append(f"{key}: {feature}: expected {wanted!r}, published {found!r}")
    return problems + account(db, lake, answers, folder)


def account(db, lake, answers, folder):
    """Every row of the files has one outcome, and it is the expected one."""
    table = db.execute(f"select * from read_parquet('{published(folder, 'sources')}')")
    columns = [d[0] for d in table.description]
    problems = []
    for row in table.fetchall():
        row = dict(zip(columns, row))
        source = next(s for s in lake.sources if s.name == row["source"])
        counts = collections.Counter(answers.counts[source.name])
        if row["rows"] != sum(row[outcome] for outcome in VISIBLE) or row["file_rows"] != row["future"] + row["unknown"] + row["pruned"] + row["rows"]:
            problems.append(f"source {source.name}: outcomes do not add up to the rows: {row}")
        if row["file_rows"] != len(source.rows):
            problems.append(f"source {source.name}: {row['file_rows']} rows in its files, expected {len(source.rows)}")
        # Pruned rows are not judged further, so other outcomes are only compared where no row is pruned.
        exact = ("future", "unknown") + (VISIBLE if row["pruned"] == 0 else ())
        for outcome in exact:
            if row[outcome] != counts[outcome]:
                problems.append(f"source {source.name}: {row[outcome]} rows {outcome}, expected {counts[outcome]}")
        if row["files"] != len(source.files):
            problems.append(f"source {source.name}: {row['files']} files, expected {len(source.files)}")
    return problems


def execute(tessera, folder, as_of, *more):
    return subprocess.run([tessera, "run", "pipeline.toml", "--as-of", str(as_of), *more], cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)


def again(tessera, folder, lake, seed):
    """Another number of threads must give the same bytes."""
    with open(published(folder, "customers"), "rb") as file:
        before = file.read()
    shutil.rmtree(os.path.join(folder, "store"))
    execute(tessera, folder, lake.world.as_of, "--threads", str(1 + seed % 3))
    with open(published(folder, "customers"), "rb") as file:
        return [] if file.read() == before else ["another number of threads gave other bytes"]


def try_seed(tessera, seed, folder):
    """The kind of result, and the problems found."""
    lake = lake_maker.make(seed, folder)
    answers = Answers(lake)
    wrong = lake_reading.differences(answers.db, lake, folder)
    if wrong:
        return "generator", wrong
    ended = execute(tessera, folder, lake.world.as_of)
    with open(os.path.join(folder, "said.txt"), "w", encoding="utf-8") as file:
        file.write(f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
    said = ended.stdout + ended.stderr
    if ended.returncode != 0:
        return refused(lake, answers, ended.returncode, said)
    problems = compare(answers.db, lake, answers, folder)
    problems += [f"passed over, not named: .{end}" for source in lake.sources for end in source.passed_over if end not in said]
    if not problems and seed % 16 == 0:
        problems = again(tessera, folder, lake, seed)
    return ("differs" if problems else "same"), problems


def refused(lake, answers, code, said):
    """A run may fail where there are no customers, or where an integer to publish exceeds 64 bits; the message must name which."""
    if "panicked" in said or code not in (2, 3, 4):
        return "crash", [f"exit {code}", said]
    if not answers.customers() and code == 3:
        return "nobody", []
    columns = [[*outside, *inside] for outside, inside in zip(answers.outside(), zip(*answers.expected().values()))]
    beyond = {f["name"] for f, values in zip(lake.features, columns) for value in values
              if isinstance(value, (int, Decimal)) and value == int(value) and not -2**63 <= value < 2**63}
    if code == 3 and any(f"`{name}`" in said for name in beyond):
        return "overflow", []
    return "refused", [said[max(said.find("error"), 0):]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tessera")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep", default=os.path.join(tempfile.gettempdir(), "tessera-lakes"))
    arguments = parser.parse_args()
    tessera = os.path.abspath(arguments.tessera)
    seeds = [arguments.only] if arguments.only is not None else range(arguments.seed, arguments.seed + arguments.count)
    ends, failed, began = collections.Counter(), [], time.monotonic()
    for seed in seeds:
        folder = os.path.join(arguments.keep, str(seed))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        end, problems = try_seed(tessera, seed, folder)
        ends[end] += 1
        if problems:
            failed.append(seed)
            print(f"seed {seed}: {end}: {problems[0].strip()[:1500]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
            print(f"  again: python tests/oracle/lakes.py {arguments.tessera} --only {seed}    kept: {folder}")
        elif arguments.only is None:
            shutil.rmtree(folder)
    print(f"{sum(ends.values())} lakes in {time.monotonic() - began:.0f} s: {dict(ends)}; {len(failed)} failed: {failed[:50]}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
