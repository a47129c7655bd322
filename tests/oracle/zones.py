"""Days whose midnight does not exist, in every zone that has one, from 1970 to 2026.

Usage: zones.py TESSERA [--days latest|all] [--zone NAME]     (Python 3.11, tests/oracle/requirements.txt)

The lakes have instants and local times without a zone around each such day, to the second; `tessera run` for that day and for the
day before must publish the customers, days since the last row, windows and times that Python's zoneinfo gives. A local time that
does not exist is moved forward by the gap. The zone database is that of PyPI's tzdata, in the version that the program is built with.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zoneinfo
from datetime import date, datetime, timedelta, timezone

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

zoneinfo.reset_tzpath(to=())  # the operating system's own database may be another version
DAY = 86_400
UNTIL = int(datetime(2027, 1, 1, tzinfo=timezone.utc).timestamp())
STEP = 5 * DAY

PIPELINE = """spec_version = 1
name = "zones"
timezone = "{zone}"
currency = "EUR"
store = "store"
[customer]
key = "k"
[sources.o]
kind = "events"
path = "instants.parquet"
key = "k"
time = "t"
contract = {{ missing_key = "fail" }}
[sources.n]
kind = "events"
path = "naive.parquet"
key = "k"
time = "t"
time_zone = "{zone}"
contract = {{ missing_key = "fail" }}
[features]
use = ["recency_days", "last_order_day"]
orders = "o"
last_at = {{ from = "o", agg = "max", of = "t" }}
w1 = {{ from = "o", agg = "count", window = "1d" }}
p1 = {{ from = "o", agg = "count", window = "1d", offset = "1d" }}
naive_at = {{ from = "n", agg = "max", of = "t" }}
naive_w1 = {{ from = "n", agg = "count", window = "1d" }}
"""


def offset(zone, at):
    return int(datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def gaps(zone):
    """Days without a midnight: the day, and the instant of the clock change."""
    before = offset(zone, 0)
    for at in range(STEP, UNTIL, STEP):
        after = offset(zone, at)
        if after != before:
            low, high = at - STEP, at
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
            midnight = -(-(high + before) // DAY) * DAY
            if midnight < high + after:
                yield date(1970, 1, 1) + timedelta(days=midnight // DAY), high
            before = after


def local(at, zone):
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def instants(moved):
    near = [moved - 1, moved, moved + 1, moved + 1800, moved + 3599, moved + 3600, moved + 3601, moved - 1800]
    return near + [at + shift for at in (moved, moved - 1, moved + 3600, moved - 3600) for shift in (-DAY, DAY)]


def naive_times(day):
    midnight = datetime(day.year, day.month, day.day)
    return [midnight + timedelta(seconds=s) for s in (0, 1, 1800, 3599, 3600, 12 * 3600, -1, -1800, DAY - 1, DAY, DAY + 1, -DAY, -DAY - 1)]


def exists(wanted, zone):
    """A local time without a zone; where it does not exist, moved forward by the gap."""
    return wanted.replace(tzinfo=zone).astimezone(timezone.utc).astimezone(zone).replace(tzinfo=None)


def expected(zone, day, moved, as_of):
    rows = {}
    end = datetime(as_of.year, as_of.month, as_of.day) + timedelta(days=1)
    for number, at in enumerate(instants(moved)):
        shown = local(at, zone)
        if shown < end:
            ago = (as_of - shown.date()).days
            rows[f"i{number:02}"] = (ago, shown.date(), shown, int(ago == 0), int(ago == 1), None, 0)
    for number, wanted in enumerate(naive_times(day)):
        shown = exists(wanted, zone)
        if shown < end:
            rows[f"n{number:02}"] = (None, None, None, 0, 0, shown, int(shown.date() == as_of))
    return rows


def try_day(tessera, name, day, moved, folder):
    """Differences from what tessera publishes, as texts."""
    zone = zoneinfo.ZoneInfo(name)
    at = instants(moved)
    keys = [f"i{n:02}" for n in range(len(at))]
    made = pa.array([a * 1_000_000 for a in at], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"k": keys, "t": made, "amount": [1.0] * len(at)}), os.path.join(folder, "instants.parquet"))
    naive = naive_times(day)
    keys = [f"n{n:02}" for n in range(len(naive))]
    pq.write_table(pa.table({"k": keys, "t": pa.array(naive, pa.timestamp("us"))}), os.path.join(folder, "naive.parquet"))
    with open(os.path.join(folder, "pipeline.toml"), "w", encoding="utf-8") as file:
        file.write(PIPELINE.format(zone=name))
    found = []
    for as_of in (day, day - timedelta(days=1)):
        shutil.rmtree(os.path.join(folder, "store"), ignore_errors=True)
        ended = subprocess.run([tessera, "run", "pipeline.toml", "--as-of", str(as_of), "--quiet"], cwd=folder, capture_output=True, text=True, timeout=60)
        if ended.returncode != 0:
            found.append(f"{name} {as_of}: exit {ended.returncode}: {ended.stderr.strip()}")
            continue
        got = duckdb.sql(f"""select k, recency_days, last_order_day, last_at, w1, p1, naive_at, naive_w1
            from read_parquet('{folder}/store/zones/latest/customers.parquet')""" if os.path.exists(f"{folder}/store/zones") else
            f"""select k, recency_days, last_order_day, last_at, w1, p1, naive_at, naive_w1 from read_parquet('{folder}/store/latest/customers.parquet')""")
        got = {row[0]: row[1:] for row in got.fetchall()}
        wanted = expected(zone, day, moved, as_of)
        for key in sorted(wanted.keys() | got.keys()):
            if wanted.get(key) != got.get(key):
                found.append(f"{name} as of {as_of} (gap on {day}): {key}: expected {wanted.get(key)}, published {got.get(key)}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tessera")
    parser.add_argument("--days", choices=["latest", "all"], default="all")
    parser.add_argument("--zone")
    arguments = parser.parse_args()
    tessera, began = os.path.abspath(arguments.tessera), time.monotonic()
    days = zones = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in [arguments.zone] if arguments.zone else sorted(zoneinfo.available_timezones()):
            found = list(gaps(zoneinfo.ZoneInfo(name)))
            zones += bool(found)
            for day, moved in found[-1:] if arguments.days == "latest" else found:
                days += 1
                wrong = try_day(tessera, name, day, moved, folder)
                failed += bool(wrong)
                if wrong:
                    print(wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
    print(f"{days} days of {zones} zones in {time.monotonic() - began:.0f} s, {failed} failed")
    sys.exit(1 if failed or not days else 0)


if __name__ == "__main__":
    main()
