"""Steps of every version add up to the change of every segment, in customers and in value: causes.py STORE VERSIONS"""

import glob
import json
import sys

import duckdb

store, expected = sys.argv[1], int(sys.argv[2])
commits = [json.load(open(path)) for path in sorted(glob.glob(f"{store}/commits/*.json"))]
folder = {one["version"]: f"{store}/data/as_of={one['as_of']}/run={one['txid']}" for one in commits}
con = duckdb.connect()
pairs = steps = 0
for commit in commits:
    if not commit["previous"]:
        continue
    key = commit["pipeline"]["key"]
    now, then = folder[commit["version"]], folder[commit["previous"]]
    names = {feature["name"] for feature in commit["pipeline"]["features"]}
    value = next((name for name in ("value_future", "value_past") if name in names), commit["pipeline"]["value"])
    # What a customer counts: the value in this version, of those who are gone that in the one before; exact in hundredths.
    con.sql(f"""create or replace table moved as
        with a as (select {key} as key, scheme, segment_id as id from '{then}/memberships.parquet'),
        b as (select {key} as key, scheme, segment_id as id from '{now}/memberships.parquet'),
        v as (select coalesce(b.{key}, a.{key}) as key,
                     cast(round(coalesce(case when b.{key} is null then a.{value} else b.{value} end, 0) * 100) as hugeint) as cents
              from '{now}/customers.parquet' b full join '{then}/customers.parquet' a on a.{key} = b.{key})
        select scheme, a.id as f, b.id as t, v.cents from a full join b using (key, scheme) join v using (key)
        where scheme in (select scheme from a) and scheme in (select scheme from b)""")
    con.sql(f"""create or replace table steps as
        select scheme, from_segment_id as f, to_segment_id as t, cause, customers, cast(value * 100 as hugeint) as cents
        from '{now}/migrations.parquet'""")
    net = """select scheme, id, sum(n)::bigint as customers, sum(c)::hugeint as cents from (
        select scheme, f as id, -{n} as n, -cents as c from {of} union all
        select scheme, t as id, {n} as n, cents as c from {of}) group by all having customers <> 0 or cents <> 0"""
    wrong = con.sql(f"""(select * from ({net.format(n="1", of="(from moved where f is distinct from t)")}))
        except (select * from ({net.format(n="customers", of="steps")}))""").fetchall()
    more = con.sql(f"""(select * from ({net.format(n="customers", of="steps")}))
        except (select * from ({net.format(n="1", of="(from moved where f is distinct from t)")}))""").fetchall()
    assert not wrong and not more, (commit["as_of"], wrong[:5], more[:5])
    # The cause of a customer who moved is one that the steps have.
    causes = con.sql(f"""select distinct scheme, cause from '{now}/memberships.parquet' where cause is not null
        except select scheme, cause from steps""").fetchall()
    assert not causes, (commit["as_of"], causes)
    unexplained = con.sql(f"""select count(*) from '{now}/memberships.parquet'
        where cause is null and previous_segment_id is not null and previous_segment_id <> segment_id""").fetchall()[0][0]
    assert unexplained == 0, commit["as_of"]
    pairs += 1
    steps += con.sql("select count(*) from steps").fetchall()[0][0]
assert pairs == expected - 1, pairs
print(f"{pairs} pairs of versions, {steps} steps")
