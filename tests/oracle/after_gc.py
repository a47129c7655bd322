"""A store after garbage collection, as DuckDB reads it.

Usage: after_gc.py STORE      (needs Python 3.11 and duckdb)

- `views/duckdb.sql`: every view reads to its end; the rows of each day are those of the newest version of that day that has not
  expired, by the Parquet files that its commit names, and no other day is there.
- `catalog.parquet` and the view `runs` say of the same versions that they have expired as `expired/` does; the files of all others exist.

Exit code 1 on any difference.
"""

import glob
import json
import os
import sys

import duckdb


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    store = os.path.abspath(sys.argv[1])
    commits = [json.load(open(path)) for path in sorted(glob.glob(f"{store}/commits/*.json"))]
    expired = {int(os.path.basename(path)[:20]) for path in glob.glob(f"{store}/expired/*.json")}
    kept = [commit for commit in commits if commit["version"] not in expired]
    newest = {commit["as_of"]: commit for commit in kept}
    db = duckdb.connect()
    db.execute(open(f"{store}/views/duckdb.sql").read())
    views = db.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall()
    failures, compared = 0, 0
    for schema, table in sorted(views):
        if table == "runs":
            continue
        days = sorted(newest) if schema == "main" else sorted(newest)[-1:]
        expected = {}
        for day in days:
            for found in newest[day]["tables"]:
                rows = sum(file["rows"] for file in found["files"])
                if found["name"] == table and rows:
                    expected[day] = rows
        # Every column is decoded.
        got = db.execute(f'select as_of::text, count(*) from (select * from {schema}."{table}" order by all) group by 1').fetchall()
        compared += 1
        if dict(got) != expected:
            print(f"FAIL {schema}.{table}: rows by day are {dict(got)} instead of {expected}")
            failures += 1
    for source in ("runs", f"read_parquet('{store}/catalog.parquet')"):
        said = {row[0] for row in db.execute(f"select version from {source} where expired").fetchall()}
        count = db.execute(f"select count(*) from {source}").fetchone()[0]
        if said != expired or count != len(commits):
            print(f"FAIL {source}: {sorted(said)} of {count} have expired instead of {sorted(expired)} of {len(commits)}")
            failures += 1
    for commit in kept:
        for found in commit["tables"]:
            for file in found["files"]:
                path = f"{store}/data/as_of={commit['as_of']}/run={commit['txid']}/{file['path']}"
                if not os.path.exists(path):
                    print(f"FAIL {path} is missing")
                    failures += 1
    print(f"{compared} views, {len(expired)} of {len(commits)} versions have expired, {failures} failures")
    sys.exit(1 if failures or not compared else 0)


if __name__ == "__main__":
    main()
