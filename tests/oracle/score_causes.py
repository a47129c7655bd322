"""Causes of moves between segments of scores, held against runs on a lake without the new rows: score_causes.py PROGRAM FOLDER

FOLDER holds a demo. A version is made on one day, and then one some days later twice: with all rows, and on a copy of the store with a
lake that has no row since the first day. Nothing is learned again, so where the second of these puts a customer is where time alone
has brought it.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

import duckdb

program, folder = sys.argv[1], sys.argv[2]
FIRST, SECOND = "2026-09-30", "2026-10-14"
SCHEMES = """
[schemes.danger]
kind = "rules"
rules = [
  { segment = "buys no more", when = "churn_excluded = 'churned before'" },
  { segment = "likely", when = "churn_probability > 0.6" },
  { segment = "possible", when = "churn_probability > 0.25" },
]
otherwise = "safe"

[schemes.worth]
kind = "rules"
rules = [{ segment = "much", when = "clv > 150" }, { segment = "some", when = "clv > 40" }, { segment = "at risk", when = "value_at_risk > 10" }]
otherwise = "little"

[schemes.contract]
kind = "rules"
rules = [{ segment = "strong", when = "renewal_residual_value > 600" }, { segment = "middle", when = "renewal_residual_value > 200" }]
otherwise = "none"

[schemes.condition]
kind = "rules"
rules = [{ segment = "good", when = "health >= 60" }, { segment = "fair", when = "health >= 45" }]
otherwise = "poor"

[schemes.because]
kind = "rules"
rules = [{ segment = "raised", when = "churn_reasons_direction = 'raises'" }]
otherwise = "other"
"""
text = open(f"{folder}/demo.toml").read()
text = re.sub(r"\nrefit +=.*", "", text)
text = re.sub(r"(\[scores\.\w+\]\n)", r'\1refit = "never"\n', text)
open(f"{folder}/scores.toml", "w").write(text + SCHEMES)

con = duckdb.connect()
con.sql("set timezone = 'Europe/Berlin'")
lake, cut = f"{folder}/lake", f"{folder}/cut"
shutil.copytree(lake, cut)


def keep(pattern, query):
    """Writes the Parquet files again with what the query, over `was`, has of them."""
    paths = sorted(glob.glob(f"{cut}/{pattern}", recursive=True))
    for path in paths:
        con.sql(f"create or replace table was as select * from read_parquet('{path}', hive_partitioning = false)")
        con.sql(f"copy ({query}) to '{path}' (format parquet)")
    assert paths, pattern


keep("orders/**/*.parquet", f"select * from was where cast(ordered_at as date) <= date '{FIRST}' or ordered_at is null")
keep("product_events/*.parquet", f"select * from was where cast(occurred_at as date) <= date '{FIRST}' or occurred_at is null")
later = f"case when ended_on <= date '{FIRST}' then ended_on end"
keep("subscriptions/*.parquet", f"select * replace ({later} as ended_on) from was where started_on <= date '{FIRST}'")
for path in glob.glob(f"{cut}/tickets/*.csv") + glob.glob(f"{cut}/surveys/*.ndjson"):
    lines = open(path, encoding="utf-8").read().splitlines(keepends=True)
    days = [re.search(r"20\d\d-\d\d-\d\d", line) for line in lines]
    open(path, "w", encoding="utf-8").writelines(line for line, day in zip(lines, days) if not day or day[0] <= FIRST)


def version(day, of, store):
    """Segment by customer and scheme of a version, with the cause."""
    subprocess.run(
        [program, "run", f"{folder}/scores.toml", "--as-of", day, "--quiet", "--var", f"lake={of}", "--var", f"out={store}"],
        check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    table = f"{store}/demo/latest/memberships.parquet"
    rows = con.sql(f"select scheme, customer_id, segment, cause, previous_segment, assigned_by from '{table}'").fetchall()
    return {(scheme, customer): rest for scheme, customer, *rest in rows}


def attributes(store):
    """The attributes of every customer of the newest version."""
    columns = "country, industry, employees, plan, contact_role, preferred_touch"
    rows = con.sql(f"select customer_id, {columns} from '{store}/demo/latest/customers.parquet'").fetchall()
    return {customer: rest for customer, *rest in rows}


first = version(FIRST, lake, f"{folder}/all")
shutil.copytree(f"{folder}/all", f"{folder}/none", symlinks=True)
attributes_before = attributes(f"{folder}/all")
both = version(SECOND, lake, f"{folder}/all")
alone = version(SECOND, cut, f"{folder}/none")
attributes_now = attributes(f"{folder}/all")
found, wrong = {}, []
for (scheme, customer), (segment, cause, previous, _) in both.items():
    then, aged = first.get((scheme, customer)), alone.get((scheme, customer))
    if scheme not in ("danger", "worth", "contract", "condition", "touch", "because") or not then or not aged:
        continue
    if scheme == "because":
        expected = None if segment == then[0] else ("ageing or activity", "attribute or ageing or activity")
    elif segment == then[0]:
        expected = (None,)
    elif segment == aged[0]:
        is_changed = attributes_before[customer] != attributes_now[customer]
        expected = ("ageing", "attribute", "attribute or ageing") if is_changed else ("ageing",)
    else:
        expected = ("activity",)
    if scheme == "touch" and cause == "model":
        continue  # its rules read tiers, which are fitted again
    if expected and cause not in expected:
        wrong.append((scheme, customer, then[0], aged[0], segment, cause))
    if cause:
        found[scheme, cause] = found.get((scheme, cause), 0) + 1
for one in sorted(found.items()):
    print(one)
assert not wrong, (len(wrong), wrong[:10])
