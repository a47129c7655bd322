"""Functions and operators of expressions over generated rows, compared with DuckDB, or with what docs/expressions.md says where it
is something else: nulls, negative numbers, empty texts, ends of months, zones.

Usage: functions.py TESSERA FOLDER     (Python 3.11, tests/oracle/requirements.txt)

Every expression is the value of a feature of customers with one row each; rows of which a part does not convert are rejected, and left
out. Floats are compared within 1e-9 of their size. Exit code 1 where one differs.
"""

import datetime
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 400
AS_OF = "2025-01-31"
UNITS = ["day", "week", "month", "quarter", "year"]
DAYS = [datetime.date(year, month, day) for year in (1969, 1999, 2000, 2023, 2024, 2025)
        for month, day in ((1, 1), (1, 31), (2, 28), (3, 31), (4, 30), (6, 30), (7, 1), (10, 1), (12, 31), (12, 30))]
DAYS += [datetime.date(2024, 2, 29), datetime.date(2000, 2, 29)]
TIMES = [datetime.datetime.combine(day, time) for day in DAYS
         for time in (datetime.time(), datetime.time(23, 59, 59, 999999), datetime.time(12, 30, 15, 5))]
TEXTS = ["", " ", "a", "ab", "aB-c", "-", "--", "a--b", "héllo", "ÄÖß", "  x ", "\t y", "a-b-c-d", "100%", "a_c", "\u00a0z\u00a0", "e\u0301",
         "1", "-2", "3.5", "2024-02-29", "xxxxx"]
INTEGERS = [0, 1, -1, 2, -3, 7, 10, -10, 100, 9007199254740993]
FLOATS = [0.0, -0.0, 1.5, -1.5, 2.5, -2.5, 0.5, -0.5, 1.005, 2.675, 1e10, -1e-10, 0.1, 3.0, -7.25, 100.49999999999999]

SAME = [
    "d - e", "abs(i)", "abs(x)", "least(i, j)", "greatest(i, j)", "least(x, y)", "greatest(x, y)", "least(d, e)", "greatest(d, e)",
    "coalesce(i, j)", "nullif(i, j)", "coalesce(s, r)", "nullif(s, r)", "lower(s)", "s || r", "concat(s, r)", "length(s)",
    "replace(s, 'a', 'b')", "replace(s, '-', '')", "substring(s, 2)", "substring(s, 2, 2)", "split_part(s, '-', 1)",
    "split_part(s, '-', 2)", "split_part(s, '-', -1)", "split_part(s, '-', 9)", "regexp_extract(s, '[a-z]+')",
    "regexp_extract(s, '(a)(b)?', 2)", "s like 'a%'", "s like '%-%'", "s like '_'", "s like ''", "s = r", "s < r",
    "s between 'a' and 'b'", "s in ('a', '')", "s not in ('a', '')", "s is distinct from r", "i between j and n",
    "i is not distinct from j", "not (i > j)", "i > j and x > y", "i > j or x > y",
    "case when i > 0 then 'p' when i < 0 then 'n' end", "case i when 1 then 'one' when 0 then 'zero' else 'other' end",
    "x + y", "x - y", "x * y", "-i", "-x", "i + j", "i - j", "d < e", "t < u", "d is null", "floor(x)", "ceil(x)", "round(x)",
    "cast(i as double)", "cast(t as date)", "cast(d as timestamp)",
]


def expressions(zone):
    """Expressions, and what they are in DuckDB."""
    both = [(text, text) for text in SAME]
    for unit in UNITS:
        for a, b in (("d", "e"), ("t", "u"), ("d", "t"), ("t", "e")):
            days = f"cast({a} as date)", f"cast({b} as date)"
            # Boundaries of weeks, which are Mondays.
            weeks = "(cast(date_trunc('week', {1}) as date) - cast(date_trunc('week', {0}) as date)) // 7"
            counted = weeks if unit == "week" else f"date_diff('{unit}', {{0}}, {{1}})"
            both.append((f"date_diff('{unit}', {a}, {b})", counted.format(*days)))
        both.append((f"date_trunc('{unit}', d)", f"cast(date_trunc('{unit}', d) as date)"))
        both.append((f"date_trunc('{unit}', t)", f"cast(date_trunc('{unit}', t) as timestamp)"))
    number = r"'[-+]?[0-9]+([.][0-9]+)?'"
    return both + [
        ("d + n", "cast(d + to_days(cast(n as integer)) as date)"), ("d - n", "cast(d - to_days(cast(n as integer)) as date)"),
        ("date_diff('day', d, as_of())", f"date_diff('day', d, date '{AS_OF}')"), ("as_of() - d", f"date '{AS_OF}' - d"),
        ("t < d", "t < cast(d as timestamp)"),
        ("substring(s, n, 2)", "case when s is not null then substring(s, greatest(n, 1), greatest(n + 2 - greatest(n, 1), 0)) end"),
        ("substring(s, n)", "substring(s, greatest(n, 1))"),
        ("trim(s)", "trim(s, ' ' || chr(9) || chr(160))"),
        ("split_part(s, '-', n)", "case when n = 0 and s is not null then '' else split_part(s, '-', n) end"),
        ("split_part(s, '', 2)", "case when s is not null then substring(s, 2, 1) end"),
        ("upper(s)", "upper(replace(s, 'ß', 'ss'))"), ("replace(s, '', 'x')", "s"),
        ("x / y", "case when y <> 0 then x / y end"), ("i / j", "case when j <> 0 then cast(i as double) / cast(j as double) end"),
        ("i % j", "case when j <> 0 then i % j end"), ("x % y", "case when y <> 0 then x % y end"),
        ("floor(i)", "i"), ("round(i)", "i"), ("sqrt(x)", "case when x >= 0 then sqrt(x) end"), ("ln(x)", "case when x > 0 then ln(x) end"),
        ("log10(x)", "case when x > 0 then log10(x) end"), ("exp(y)", "case when y < 700 then exp(y) end"),
        ("power(x, 2)", "x * x"), ("power(x, n)", "case when x <> 0 or n >= 0 then pow(x, n) end"),
        ("cast(x as bigint)", "cast(trunc(x) as bigint)"), ("cast(i as string)", "cast(i as varchar)"),
        ("cast(d as string)", "cast(d as varchar)"), ("cast(i as boolean)", "i <> 0"), ("cast(i > 1 as bigint)", "cast(i > 1 as bigint)"),
        ("try_cast(s as bigint)", "case when regexp_full_match(s, '[-+]?[0-9]+') then cast(s as bigint) end"),
        ("try_cast(s as double)", f"case when regexp_full_match(s, {number}) then cast(s as double) end"),
        ("try_cast(s as date)", "case when s = '2024-02-29' then date '2024-02-29' end"),
        ("try_strptime(s, '%Y-%m-%d')", "case when s = '2024-02-29' then date '2024-02-29' end"),
        ("to_timestamp(n, 's')", f"timezone('{zone}', to_timestamp(n))"),
        ("to_timestamp(i, 'ms')", f"timezone('{zone}', timezone('UTC', epoch_ms(i)))"),
    ]


def rows():
    random_ = random.Random(3)

    def some(values):
        return [random_.choice([None, *values]) for _ in range(ROWS)]

    return pa.table({
        "k": [f"c{row:04d}" for row in range(ROWS)], "at": [datetime.date(2025, 1, 1)] * ROWS, "d": some(DAYS), "e": some(DAYS),
        "t": pa.array(some(TIMES), pa.timestamp("us")), "u": pa.array(some(TIMES), pa.timestamp("us")), "s": some(TEXTS), "r": some(TEXTS),
        "i": pa.array(some(INTEGERS), pa.int64()), "j": pa.array(some(INTEGERS), pa.int64()), "x": some(FLOATS), "y": some(FLOATS),
        "n": pa.array([random_.randint(-4, 6) for _ in range(ROWS)], pa.int64()),
    })


def published(program, folder, zone, texts):
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    features = "\n".join(
        f'f{number} = {{ from = "o", agg = "last", of = {json.dumps(text, ensure_ascii=False)}, base = "behavioural" }}'
        for number, text in enumerate(texts))
    (folder / "p.toml").write_text(
        f'spec_version = 1\nname = "p"\ntimezone = "{zone}"\ncurrency = "EUR"\nstore = "{store}"\n[customer]\nkey = "k"\n'
        f'[sources.o]\nkind = "events"\npath = "{folder}/lake"\nkey = "k"\ntime = "at"\ntime_zone = "{zone}"\n'
        f'[sources.o.contract]\nmissing_key = "fail"\n[features]\n{features}\n', encoding="utf-8")
    run = subprocess.run([program, "run", str(folder / "p.toml"), "--as-of", AS_OF, "--quiet"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return pq.read_table(store / "latest" / "customers.parquet").to_pylist()


def is_same(found, wanted):
    if isinstance(wanted, float) and not math.isfinite(wanted):
        return found is None
    if isinstance(found, float) or isinstance(wanted, float):
        return found is not None and wanted is not None and math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(wanted, datetime.datetime):
        wanted = wanted.replace(tzinfo=None)
    return found == wanted


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    (folder / "lake").mkdir(parents=True, exist_ok=True)
    table = rows()
    pq.write_table(table, folder / "lake" / "a.parquet")
    duck = duckdb.connect()
    duck.execute("set timezone = 'UTC'")
    duck.register("rows", table)
    compared, wrong = 0, []
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        pairs = expressions(zone)
        customers = published(program, folder, zone, [text for text, _ in pairs])
        for number, (text, other) in enumerate(pairs):
            wanted = dict(duck.execute(f"select k, {other} from rows").fetchall())
            for customer in customers:
                compared += 1
                found = customer[f"f{number}"]
                if not is_same(found, wanted[customer["k"]]):
                    wrong.append(f"{zone}: {text} of {customer['k']}: {found!r}, not {wanted[customer['k']]!r}")
    print(f"{compared} values compared, {len(wrong)} differ")
    print("\n".join(wrong[:20]))
    sys.exit(bool(wrong) or compared < 300 * 3 * len(SAME))


if __name__ == "__main__":
    main()
