"""Every version of a store as programs that know Delta Lake see it, and every table as Tableau's Hyper reads it.

Usage: delta_readers.py STORE      (needs Python 3.11 and deltalake, duckdb, polars, pyarrow, tableauhyperapi)

- Delta version N of every table under `delta/` has the rows of the newest version of every day among the first N of the store, unless
  that has expired, by the Parquet files that the commits name: read by deltalake's own reader, its query engine, polars, and DuckDB where its extension
  `delta` can be installed (a line says so where it cannot). Columns that a version lacks are null.
- The latest version of every table of the store is read by Hyper from its Parquet file, with every column and its type.

Exit code 1 on any difference.
"""

import glob
import json
import os
import sys
import tempfile

import deltalake
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import tableauhyperapi as hyper

HYPER = {pa.string(): "TEXT", pa.int64(): "BIG_INT", pa.float64(): "DOUBLE", pa.date32(): "DATE", pa.bool_(): "BOOL",
         pa.timestamp("us"): "TIMESTAMP", pa.decimal128(18, 2): "NUMERIC"}


def commits(store):
    return [json.load(open(path)) for path in sorted(glob.glob(f"{store}/commits/*.json"))]


def files_at(store, versions, table):
    """Files of a table as of these versions: the newest of every day, unless it has expired."""
    newest = {version["as_of"]: version for version in versions}
    for version in newest.values():
        if os.path.exists(f"{store}/expired/{version['version']:020}.json"):
            continue
        for found in version["tables"]:
            if found["name"] == table:
                folder = f"{store}/data/as_of={version['as_of']}/run={version['txid']}"
                yield from (f"{folder}/{file['path']}" for file in found["files"])


def ordered(table, columns):
    """The rows, whatever order files come in, as tuples of texts."""
    table = table.select(columns)
    rows = zip(*[[repr(value) for value in column.to_pylist()] for column in table.columns])
    return sorted(rows)


def expected_rows(files, columns):
    tables = [pq.read_table(file, partitioning=None) for file in files]
    if not tables:
        return []
    return ordered(pa.concat_tables(tables, promote_options="default"), columns)


def duckdb_with_delta():
    db = duckdb.connect()
    try:
        db.execute("install delta")
        db.execute("load delta")
        return db
    except duckdb.Error as error:
        print(f"note DuckDB's extension `delta` cannot be installed here: {str(error).splitlines()[0]}")
        return None


def check_delta(store, table, versions, db):
    path = f"{store}/delta/{table}"
    failures = 0
    for number in range(len(versions) + 1):
        delta = deltalake.DeltaTable(path, version=number)
        columns = [field.name for field in delta.schema().fields]
        files = list(files_at(store, versions[:number], table))
        expected = expected_rows(files, columns)
        found = {"deltalake": delta.to_pyarrow_table(), "polars": polars.read_delta(delta).to_arrow()}
        query = deltalake.QueryBuilder().register("t", delta).execute("select * from t").read_all()
        found["deltalake's engine"] = pa.table(query)
        if db:
            found["duckdb"] = db.execute(f"select * from delta_scan('{path}', version := {number})").to_arrow_table()
        for reader, read in found.items():
            got = ordered(read, columns)
            if got != expected:
                print(f"FAIL {table} version {number}, {reader}: {len(got)} rows instead of {len(expected)}, or other values")
                failures += 1
    history = {entry["version"] for entry in deltalake.DeltaTable(path).history()}
    if history != set(range(len(versions) + 1)):
        print(f"FAIL {table}: history of versions {sorted(history)}")
        failures += 1
    newest = deltalake.DeltaTable(path)
    columns = {field.name for field in newest.schema().fields}
    # Columns that only expired versions had stay in the schema.
    of_day = {version["as_of"]: version for version in versions}.values()
    own = [found for version in of_day for found in version["tables"] if found["name"] == table]
    published = {column["name"] for found in own for column in found["schema"]}
    if columns != published:
        print(f"FAIL {table}: columns {sorted(columns ^ published)} are only on one side")
        failures += 1
    print(f"{'FAIL' if failures else 'ok  '} {table}: {len(versions) + 1} Delta versions")
    return failures


def check_hyper(store):
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        parameters = {"log_config": "", "log_dir": folder}
        with hyper.HyperProcess(hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=parameters) as process, \
                hyper.Connection(process.endpoint) as connection:
            for path in sorted(glob.glob(f"{os.path.realpath(store + '/latest')}/*.parquet")):
                schema, rows = pq.read_schema(path), pq.read_metadata(path).num_rows
                source = f"external({hyper.escape_string_literal(path)}, format => 'parquet')"
                with connection.execute_query(f"select * from {source}") as result:
                    columns = {column.name.unescaped: column.type.tag.name for column in result.schema.columns}
                    got = sum(1 for _ in result)
                wrong = {field.name: columns.get(field.name) for field in schema if columns.get(field.name) != HYPER.get(field.type)}
                for text in wrong:
                    print(f"FAIL {os.path.basename(path)}: Hyper reads {text} as {wrong[text]}")
                if got != rows:
                    print(f"FAIL {os.path.basename(path)}: Hyper reads {got} rows instead of {rows}")
                failures += len(wrong) + (got != rows)
                if not wrong and got == rows:
                    print(f"ok   {os.path.basename(path)}: {rows} rows, {len(columns)} columns in Hyper")
    return failures


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    store = os.path.abspath(sys.argv[1])
    versions = commits(store)
    tables = {table["name"] for version in versions for table in version["tables"]}
    if set(os.listdir(f"{store}/delta")) != tables:
        print(f"FAIL Delta tables are {sorted(os.listdir(store + '/delta'))} instead of {sorted(tables)}")
        sys.exit(1)
    db = duckdb_with_delta()
    failures = sum(check_delta(store, table, versions, db) for table in sorted(tables)) + check_hyper(store)
    print(f"{len(tables)} tables, {len(versions)} versions, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
