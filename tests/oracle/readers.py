"""Every published table of a store, read the way a BI tool would: DuckDB, pandas with pyarrow, and polars.

Usage: readers.py STORE [VERSIONS]      (needs Python 3.11 and duckdb, pandas, pyarrow, polars)

Checks, one line per table, exit code 1 on any failure:
- the file is flat: plain strings, i64, f64, date, boolean, timestamps in microseconds, decimals; no dictionaries, no nesting
- columns and types are those declared below, `as_of` first; tables that need a score may be absent
- all readers see the same columns, types, row count and null counts
- rows are those that `catalog.parquet` names for the newest version
- `views/duckdb.sql` answers a question over all versions, of which there are at least VERSIONS (default 1)
"""

import glob
import os
import sys

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

# The published tables: column and type; `key` stands for the pipeline's key, which is text or an integer, `...` for columns
# that a pipeline asks for.
TABLES = {
    "actions": "as_of date, key key, scheme text, segment text, playbook text, goal text, touch text, channel text, owner text, "
               "reason text, value_now float, value_at_risk float, priority int, ...",
    "calibration": "as_of date, score text, model text, bin int, predicted float, observed float, customers int, lift float",
    "cohorts": "as_of date, cohort date, age int, month date, customers int, active int, retention float, revenue decimal, status text",
    "drift": "as_of date, previous_as_of date, kind text, name text, customers_before int, customers int, bins int, psi float, "
             "psi_critical float, ks float, ks_critical float, chi_squared float, chi_squared_critical float, "
             "missing_share_before float, missing_share float, missing_change float, status text, reason text",
    "memberships": "as_of date, key key, scheme text, segment_id int, segment text, reason text, assigned_by text, "
                   "entered_on date, previous_segment_id int, previous_segment text, cause text, leaves_on date, leaves_to text, "
                   "nearest_change text",
    "segments": "as_of date, scheme text, segment_id int, segment text, customers int, share float, value float, value_share float, "
                "kpi float, playbook text, touch text, channel text, owner text, rule text, "
                "goal text, kpi_customers int, value_now float, value_future float, value_past float, value_at_risk float, "
                "segment_key text, position int, kpi_status text, kpi_reason text, scheme_status text, scheme_reason text, "
                "standing text, left_customers int, win_back_value float",
    "features": "as_of date, name text, label text, unit text, base text, direction text, definition text, source text, "
                "status text, status_reason text",
    "score_intervals": "as_of date, key key, score text, column_name text, estimate float, low_95 float, low_80 float, "
                       "high_80 float, high_95 float",
    "profiles": "as_of date, scheme text, segment_id int, segment text, feature text, label text, customers int, mean float, "
                "median float, p10 float, p90 float, population_mean float, index float, effect_size float, share float, "
                "population_share float",
    "quality": "as_of date, scheme text, segment text, criterion text, metric text, value float, threshold float, side text, status text, "
               "reason text",
    "models": "as_of date, score text, model text, name text, value float, text text, figure text, figure_of text, figure_days int",
    "reject_rules": "as_of date, source text, rule text, outcome text, rows int, share float, limit float, kept int, example text, "
                    "file text, row_number int",
    "rejects": "as_of date, source text, file text, row_number int, rule text, row text",
    "sources": "as_of date, source text, kind text, files int, bytes int, rows int, used int, filtered int, quarantined int, "
               "dropped int, duplicates int, newest_event timestamp, age_hours float, status text, files_passed_over int, "
               "columns_absent int, file_rows int, future int, unknown int, "
               "pruned int, nulled int, rejected_share float, negative_share float, negative_value_share float, "
               "keys_without_customer int, rows_without_customer int, customers_with_several int, notes text, unmatched int, "
               "warnings text, worst_warning text, gap_days int",
}
# Published only where the pipeline declares playbooks or scores.
OPTIONAL = {"actions", "calibration", "cohorts", "quality", "score_intervals"}
ARROW = {pa.string(): "text", pa.int64(): "int", pa.float64(): "float", pa.date32(): "date", pa.bool_(): "bool",
         pa.timestamp("us"): "timestamp", pa.decimal128(18, 2): "decimal"}
DUCKDB = {"VARCHAR": "text", "BIGINT": "int", "DOUBLE": "float", "DATE": "date", "BOOLEAN": "bool", "TIMESTAMP": "timestamp",
          "DECIMAL(18,2)": "decimal"}
POLARS = {polars.String: "text", polars.Int64: "int", polars.Float64: "float", polars.Date: "date", polars.Boolean: "bool",
          polars.Datetime("us"): "timestamp", polars.Decimal(18, 2): "decimal"}


def with_duckdb(path):
    db = duckdb.connect()
    columns = {row[0]: DUCKDB.get(row[1], row[1]) for row in db.execute("describe select * from read_parquet(?)", [path]).fetchall()}
    counts = ", ".join(f'count(*) - count("{name}")' for name in columns)
    rows, *nulls = db.execute(f"select count(*), {counts} from read_parquet(?)", [path]).fetchone()
    return rows, columns, dict(zip(columns, nulls))


def with_pandas(path):
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    columns = {name: ARROW.get(kind.pyarrow_dtype, str(kind)) for name, kind in frame.dtypes.items()}
    return len(frame), columns, {name: int(count) for name, count in frame.isna().sum().items()}


def with_polars(path):
    frame = polars.read_parquet(path)
    columns = {name: POLARS.get(kind, str(kind)) for name, kind in frame.schema.items()}
    return frame.height, columns, frame.null_count().row(0, named=True)


def declared_problems(table, columns):
    if next(iter(columns), None) != "as_of":
        return ["the first column is not as_of"]
    unknown = [f"{name} is {kind}" for name, kind in columns.items() if kind not in set(DUCKDB.values())]
    if table not in TABLES:
        return unknown
    declared = [entry.split() for entry in TABLES[table].removesuffix(", ...").split(", ")]
    if len(declared) > len(columns) or len(declared) < len(columns) and not TABLES[table].endswith("..."):
        return unknown + [f"{len(columns)} columns instead of {len(declared)}: {', '.join(columns)}"]
    for (name, kind), (got_name, got_kind) in zip(declared, columns.items()):
        if name == "key":
            fits = got_kind in ("text", "int")
        else:
            fits = (name, kind) == (got_name, got_kind)
        if not fits:
            unknown.append(f"column {got_name} {got_kind} instead of {name} {kind}")
    return unknown


def flat_problems(path):
    problems = []
    for file in sorted(glob.glob(os.path.join(path, "*.parquet"))) if os.path.isdir(path) else [path]:
        for field in pq.read_schema(file):
            if field.type not in ARROW:
                problems.append(f"{field.name} is stored as {field.type}")
    return problems


def check_table(table, path):
    pattern = os.path.join(path, "*.parquet") if os.path.isdir(path) else path
    rows, columns, nulls = with_duckdb(pattern)
    problems = flat_problems(path) + declared_problems(table, columns)
    for reader, answer in (("pandas", with_pandas(path)), ("polars", with_polars(pattern))):
        for what, ours, theirs in zip(("row count", "columns", "null counts"), (rows, columns, nulls), answer):
            if ours != theirs:
                problems.append(f"{what}: duckdb {ours}, {reader} {theirs}")
    shown = f"{rows} rows, {len(columns)} columns, {sum(nulls.values())} nulls"
    print(f"{'FAIL' if problems else 'ok  '} {table}: {shown}" + "".join(f"; {p}" for p in problems))
    return len(problems), rows


def check_views(store, wanted, tables):
    """One question over all versions: customers and segments of every as_of, against the catalogue."""
    os.chdir(store)
    db = duckdb.connect()
    catalogue = "read_parquet('catalog.parquet')"
    versions = db.execute(f"select count(distinct version) from {catalogue}").fetchone()[0]
    days = [str(row[0]) for row in db.execute(f"select distinct as_of from {catalogue} order by 1").fetchall()]
    with open("views/duckdb.sql", encoding="utf-8") as file:
        db.execute(file.read())
    views = {row[0] for row in db.execute("select view_name from duckdb_views() where not internal").fetchall()}
    problems = [f"no view of {table}" for table in sorted({*tables, "runs"} - views)]
    if versions < wanted:
        problems.append(f"{versions} versions instead of {wanted}")
    answer = []
    if "customers" in views and "memberships" in views:
        answer = db.execute("""
            select c.as_of, count(distinct c.customers), sum(m.members)
            from (select as_of, count(*) as customers from customers group by as_of) c
            join (select as_of, scheme, count(*) as members from memberships group by as_of, scheme) m using (as_of)
            where m.members = c.customers group by c.as_of order by 1""").fetchall()
        schemes = db.execute("select as_of, count(distinct scheme) * (select count(*) from customers c where c.as_of = m.as_of) "
                             "from memberships m group by as_of order by 1").fetchall()
        if [str(row[0]) for row in answer] != days:
            problems.append(f"days {[str(row[0]) for row in answer]} instead of {days}")
        if [row[2] for row in answer] != [row[1] for row in schemes]:
            problems.append("a scheme does not hold every customer exactly once")
    print(f"{'FAIL' if problems else 'ok  '} views/duckdb.sql: {len(views)} views, {versions} versions, days {', '.join(days)}"
          + "".join(f"; {p}" for p in problems))
    return len(problems)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    store = os.path.abspath(sys.argv[1])
    latest = os.path.join(store, "latest")
    entries = sorted(os.listdir(latest))
    tables = [entry.removesuffix(".parquet") for entry in entries if entry.endswith(".parquet") or os.path.isdir(os.path.join(latest, entry))]
    failures = 0
    for missing in sorted({"customers", *TABLES} - OPTIONAL - set(tables)):
        print(f"FAIL {missing}: not published")
        failures += 1
    for table in tables:
        entry = table + ".parquet" if table + ".parquet" in entries else table
        failures += check_table(table, os.path.join(latest, entry))[0]
    failures += check_views(store, int(sys.argv[2]) if len(sys.argv) == 3 else 1, tables)
    print(f"{len(tables)} tables, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
