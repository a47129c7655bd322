"""What training on a sample of the customers costs: the log loss on a later date beside that of training on all of them.

Usage: sample.py EXAMPLE FILES KEY TIME AMOUNT AS_OF HORIZON ROWS CUSTOMERS FOLDER. EXAMPLE is the program `churn_sample` of
tessera-model; FILES is a pattern of Parquet files. Features and outcomes of three dates, a horizon apart, are made by DuckDB: of
customers with a row in the HORIZON days before each. The last date is HORIZON days before AS_OF and is predicted; of each other date
the sample has CUSTOMERS customers, and the model is fitted to ROWS rows (a run reads 2 x 120,000 / dates and fits to 30,000).
"""
import subprocess, sys

import duckdb

example, files, key, time, amount, as_of, horizon, rows, customers, folder = sys.argv[1:]
con = duckdb.connect()
con.execute("set threads=2")
con.execute(f"""create view lake as select {key} as key, cast({time} as timestamp) as happened, cast({amount} as double) as amount
                from read_parquet('{files}', union_by_name=true, hive_partitioning=false) where {key} is not null""")
dates = [f"date '{as_of}' - {n * int(horizon)}" for n in (3, 2, 1)]
parts = [f"""
    select (hash(key) >> 1)::bigint as customer, ({date})::date as observed_on,
           (count(*) filter (d < 0) = 0)::int as churned,
           min(d) filter (d >= 0) as recency_days, max(d) as tenure_days, count(*) filter (d >= 0) as orders,
           sum(amount) filter (d >= 0) as spend, avg(amount) filter (d >= 0) as mean,
           count(*) filter (d between 0 and 29) as n30, count(*) filter (d between 0 and 89) as n90,
           count(*) filter (d between 0 and 179) as n180,
           coalesce(sum(amount) filter (d between 0 and 89), 0) as s90, stddev_samp(amount) filter (d >= 0) as sd
    from (select *, date_diff('day', happened::date, ({date})::date) as d from lake where happened::date <= ({date})::date + {horizon})
    group by key having min(d) filter (d >= 0) < {horizon}""" for date in dates]
table = f"{folder}/panel.parquet"
con.execute(f"copy ({' union all '.join(parts)}) to '{table}' (format parquet)")
sys.exit(subprocess.run([example, table, rows, customers, horizon]).returncode)
