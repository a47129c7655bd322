"""The twelve features of `duckdb_sklearn.py` by chDB, on two threads. Prints seconds as JSON. Usage: chdb_features.py LAKE"""
import json, sys, time

import chdb

lake = sys.argv[1]
AS_OF = "toDateTime64('2026-11-01 00:00:00', 6, 'UTC')"
QUERY = f"""
with w as (select customer_id, amount, category, dateDiff('day', ordered_at, {AS_OF}) d
           from file('{lake}/*/*.parquet', Parquet) where ordered_at < {AS_OF})
select customer_id, min(d) recency, max(d) tenure, count() frequency, sum(amount) monetary, avg(amount) aov,
       countIf(d < 30) n30, countIf(d < 90) n90, countIf(d < 180) n180,
       sumIf(amount, d < 90) s90, sumIf(amount, d >= 90 and d < 180) s90p, uniqExact(category) ncat, stddevSamp(amount) sd
from w group by customer_id order by customer_id settings max_threads = 2"""
started = time.time()
table = chdb.query(QUERY, "ArrowTable")
print(json.dumps({"features": time.time() - started, "customers": table.num_rows}))
