"""Why customers of Online Retail moved between two versions, computed a second time with DuckDB and compared with `migrations`.

Usage: replay.py LAKE STORE VERSION      (needs Python 3.11 and duckdb)

The lake must not have changed between the two versions. Written from the definition of the steps; it shares no code with tessera.
The segments of the previous version are read from its `memberships`; every later step is computed from the lake. The schemes
`lifecycle`, `value_tier` and `touch` are checked, in customers and in value. Exit code 1 on any difference.
"""

import json
import pathlib
import sys
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import duckdb

lake, store, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])


def commit(number):
    return json.loads((store / "commits" / f"{number:020}.json").read_text())


def table(number, name):
    found = commit(number)
    return store / "data" / f"as_of={found['as_of']}" / f"run={found['txid']}" / f"{name}.parquet"


now = commit(version)
then = commit(now["previous"])
DAY, BEFORE = now["as_of"], then["as_of"]
db = duckdb.connect()
db.execute(f"""
    create table lines as
    select customer_id::varchar as id, cast(invoiced_at as date) as day, invoice_no, quantity * unit_price as amount,
           lower(description) like '%christmas%' as christmas, invoice_no like 'C%' as cancelled
    from read_parquet('{lake}/**/*.parquet', hive_partitioning = false)
    where unit_price > 0 and (quantity > 0 or invoice_no like 'C%') and customer_id is not null
""")


def features(clock, last):
    """Features at the close of `clock`, of rows up to the close of `last`."""
    rows = db.execute(f"""
        select id, date_diff('day', max(day) filter (not cancelled), date '{clock}'),
               date_diff('day', min(day) filter (not cancelled), date '{clock}'), sum(amount),
               count(*) filter (where christmas and not cancelled),
               coalesce(sum(amount) filter (where not cancelled and day > date '{clock}' - 180 and day <= date '{clock}' - 90), 0)
        from lines where day <= date '{last}' group by id having bool_or(not cancelled)
    """).fetchall()
    return {row[0]: row[1:] for row in rows}


def lifecycle(row):
    recency, tenure = row[0], row[1]
    if tenure <= 30:
        return "new"
    limits = ((30, "active"), (90, "at risk"), (365, "dormant"))
    return next((name for days, name in limits if recency <= days), "churned")


# What the run learned: the lowest spend of every tier, net of cancellations, from its own customers.
published = db.execute(f"""
    select c.customer_id::varchar, c.value_past, c.value_tier, coalesce(c.value_future, 0)
    from read_parquet('{table(version, "customers")}') c
""").fetchall()
lowest = {}
for _, spend, tier, _ in published:
    lowest[tier] = min(spend, lowest.get(tier, spend))
tiers = sorted(lowest.items(), key=lambda one: -one[1])


def value_tier(row):
    # Sums in another order differ in their last digits.
    return next((tier for tier, limit in tiers if row[2] >= limit - 1e-6), tiers[-1][0])


def touch(row):
    tier, stage = value_tier(row), lifecycle(row)
    if tier == "top" and stage in ("new", "active"):
        return "visit"
    if tier in ("top", "high") and stage in ("at risk", "dormant"):
        return "call"
    if stage == "new":
        return "welcome"
    return "seasonal" if row[3] > 0 and abs(row[4]) < 1e-9 else "catalogue"


def cents(value):
    return int((Decimal(value) * 100).quantize(Decimal(1), ROUND_HALF_UP))


worth = {key: cents(future) for key, _, _, future in published}
states = {
    "model": features(BEFORE, BEFORE),
    "ageing": features(DAY, BEFORE),
    "activity": features(DAY, DAY),
}
failed = False
for scheme, segment_of in (("lifecycle", lifecycle), ("value_tier", value_tier), ("touch", touch)):
    at = dict(db.execute(f"""
        select customer_id::varchar, segment from read_parquet('{table(now["previous"], "memberships")}')
        where scheme = '{scheme}'
    """).fetchall())
    customers, value = Counter(), Counter()
    for cause, rows in states.items():
        after = {key: segment_of(row) for key, row in rows.items()}
        for key in at.keys() | after.keys():
            if at.get(key) != after.get(key):
                move = (at.get(key), after.get(key), cause)
                customers[move] += 1
                value[move] += worth[key]
        at = after
    final = dict(db.execute(f"""
        select customer_id::varchar, segment from read_parquet('{table(version, "memberships")}')
        where scheme = '{scheme}'
    """).fetchall())
    wrong = [key for key in at.keys() | final.keys() if at.get(key) != final.get(key)]
    found = {(row[0], row[1], row[2]): (row[3], int(row[4] * 100)) for row in db.execute(f"""
        select from_segment, to_segment, cause, customers, value from read_parquet('{table(version, "migrations")}')
        where scheme = '{scheme}'
    """).fetchall()}
    expected = {move: (customers[move], value[move]) for move in customers}
    for move in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(move) != found.get(move):
            print(f"{scheme}: {move}: DuckDB {expected.get(move)}, tessera {found.get(move)}")
            failed = True
    if wrong:
        print(f"{scheme}: {len(wrong)} customers are in another segment")
        failed = True
    print(f"{scheme}: {sum(customers.values())} moves in {len(expected)} rows of `migrations`")
sys.exit(failed)
