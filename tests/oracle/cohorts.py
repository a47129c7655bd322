"""Customers by the month of their first order, counted with DuckDB from the lake and compared with the table `cohorts`.

Usage: cohorts.py TABLE AS_OF QUERY      (needs Python 3.11 and duckdb)

QUERY gives the rows of orders up to the day: key, day, amount, purchase. Exit code 1 on any difference.
"""

import sys
from datetime import date

import duckdb

table, as_of, query = sys.argv[1:4]
db = duckdb.connect()
db.execute(f"create table lines as select * from ({query}) t(key, day, amount, purchase) where day <= date '{as_of}'")
cells = db.execute("""
    with firsts as (select key, date_trunc('month', min(day)) as cohort from lines where purchase group by key)
    select cast(cohort as date), cast(date_trunc('month', day) as date) as month,
           count(distinct case when purchase then key end), sum(amount)
    from lines join firsts using (key) where date_trunc('month', day) >= cohort group by all
""").fetchall()
sizes = dict(db.execute("""
    with firsts as (select key, date_trunc('month', min(day)) as cohort from lines where purchase group by key)
    select cast(cohort as date), count(*) from firsts group by all
""").fetchall())
wanted = {(cohort, month): (active, amount) for cohort, month, active, amount in cells}
last = date.fromisoformat(as_of)
months = lambda day: day.year * 12 + day.month
oldest = min(sizes)
rows = db.execute(f"select cohort, age, month, customers, active, retention, revenue, status from '{table}'").fetchall()
differences = []
for cohort, age, month, customers, active, retention, revenue, status in rows:
    place = f"{cohort} at {age}"
    if months(month) != months(cohort) + age or customers != sizes[cohort]:
        differences.append(f"{place}: month {month}, {customers} customers")
    over = db.execute("select last_day(?) <= ?", [month, last]).fetchone()[0]
    begun = months(month) <= months(last)
    if status != ("unobserved" if not begun else "observed" if over else "partial"):
        differences.append(f"{place}: {status}")
    if not begun:
        if (active, retention, revenue) != (None, None, None):
            differences.append(f"{place}: a value of a month to come")
        continue
    count, amount = wanted.get((cohort, month), (0, 0.0))
    if active != count or abs(retention - count / customers) > 1e-12 or abs(float(revenue) - float(amount)) > 0.0051:
        differences.append(f"{place}: {active}, {revenue} instead of {count}, {amount}")
span = months(last) - months(oldest) + 1
if len(rows) != span * len(sizes):
    differences.append(f"{len(rows)} rows instead of {span} x {len(sizes)}")
print(f"{len(rows)} cells of {len(sizes)} cohorts, {len(differences)} differences")
print("\n".join(differences[:20]))
sys.exit(bool(differences) or not rows)
