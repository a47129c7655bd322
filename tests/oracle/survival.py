"""Survival of contracts by Kaplan and Meier, counted day by day with DuckDB and compared with the columns of a score.

Usage: survival.py CUSTOMERS CONTRACTS AS_OF FITTED_ON HORIZON SCORE      (needs Python 3.11 and duckdb)

CONTRACTS is a Parquet file with customer_id, started_on, ended_on; the curve is that of FITTED_ON. Exit code 1 on any difference
above 1e-9.
"""

import sys

import duckdb

customers, contracts, as_of, fitted_on, horizon, score = sys.argv[1:7]
horizon = int(horizon)
db = duckdb.connect()


def lives(day):
    """Days that each customer with a contract has stayed by a day, and whether it has left."""
    return db.execute(f"""
        with known as (
            select customer_id, started_on, case when ended_on <= date '{day}' then ended_on end as ended
            from '{contracts}' where started_on <= date '{day}'
        )
        select customer_id, (case when bool_or(ended is null) then date '{day}' else max(ended) end) - min(started_on),
               not bool_or(ended is null)
        from known group by 1
    """).fetchall()


lasted = [(days, left) for _, days, left in lives(fitted_on)]
oldest = max(days for days, _ in lasted)
survival, level = [], 1.0
for day in range(oldest + 1):
    at_risk = sum(days >= day for days, _ in lasted)
    leaves = sum(left and days == day for days, left in lasted)
    level *= 1 - leaves / at_risk
    survival.append(level)

wanted = {}
for key, age, left in lives(as_of):
    if not left and age + horizon <= oldest and survival[age] > 0:
        # S is constant within a day, so the area under it is a sum.
        area = sum(survival[age : age + horizon])
        wanted[key] = (survival[age + horizon] / survival[age], area / survival[age])
rows = db.execute(
    f"select customer_id, {score}_survival_probability, {score}_remaining_days from '{customers}'"
).fetchall()
differences, compared = [], 0
for key, *found in rows:
    expected = wanted.get(key, (None, None))
    compared += expected[0] is not None
    for one, other in zip(found, expected):
        if (one is None) != (other is None) or (one is not None and abs(one - other) > 1e-9 * max(1, abs(other))):
            differences.append(f"{key}: {found}, expected {expected}")
            break
print(f"{compared} of {len(rows)} customers have a prediction, {len(differences)} differ")
print("\n".join(differences[:10]))
sys.exit(1 if differences or compared < 100 else 0)
