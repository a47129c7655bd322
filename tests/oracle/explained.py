"""What `tessera explain` says of rules, beside DuckDB over the published row: explained.py EXPLAINED.json STORE"""

import json
import math
import re
import sys

import duckdb

explained = json.load(open(sys.argv[1]))
store = sys.argv[2]
con = duckdb.connect()
con.sql(f"create table customers as from '{store}/latest/customers.parquet'")
kinds = {row[0]: row[1] for row in con.sql("describe customers").fetchall()}
rows = {}
for values in con.sql("from customers").fetchall():
    row = dict(zip(kinds, values))
    rows[row["customer_id"]] = row

# Of every scheme all rules, in their order: customers in the last segment list all of them.
rules = {}
for customer in explained:
    for scheme in customer["schemes"]:
        if scheme["kind"] == "rules" and len(scheme["rules"]) > len(rules.get(scheme["scheme"], [])):
            rules[scheme["scheme"]] = scheme["rules"]
assert rules, "no scheme of rules is explained"
words = {word for of in rules.values() for rule in of for word in re.findall(r"\w+", rule["when"])}
read = [name for name in kinds if name in words]
types = ", ".join(f'?::{kinds[name]} as "{name}"' for name in read)


def truth(conditions, row):
    """What each condition is over a row: true, false or null."""
    picked = ", ".join(f"({condition})" for condition in conditions)
    values = [row[name] for name in read]
    return con.execute(f"select {picked} from (select {types})", values).fetchall()[0]


def segment(scheme, row):
    found = truth([rule["when"] for rule in rules[scheme]], row)
    for rule, holds in zip(rules[scheme], found):
        if holds:
            return rule["segment"]
    return None


checked = changed = 0
otherwise = {}
for customer in explained:
    row = rows[customer["customer"]]
    for scheme in customer["schemes"]:
        name = scheme["scheme"]
        assert scheme["segment"] == row[name], (customer["customer"], name)
        if scheme["kind"] != "rules":
            continue
        found = segment(name, row)
        if found is None:
            otherwise[name] = scheme["segment"]
        else:
            assert found == scheme["segment"], (customer["customer"], name, found)
        whens = [rule["when"] for rule in scheme["rules"]]
        for rule, holds in zip(scheme["rules"], truth(whens, row)):
            assert rule["holds"] == bool(holds), (customer["customer"], rule)
            texts = rule["conditions"]
            if texts:
                for one, own in zip(texts, truth([one["text"] for one in texts], row)):
                    assert one["holds"] == own, (customer["customer"], one, own)
                    checked += 1
                    for column, value in one["values"].items():
                        same = value == row[column] or str(value) == str(row[column])
                        assert same, (customer["customer"], column, value, row[column])
for customer in explained[::4]:
    row = rows[customer["customer"]]
    for scheme in customer["schemes"]:
        if scheme["kind"] != "rules":
            continue
        name = scheme["scheme"]
        for change in scheme["nearest"]:
            to = change["to"]
            if change["bound"] == "is not named":
                to = "a text that no rule names"
            elif change["bound"] in ("more than", "less than"):
                to = math.nextafter(to, math.inf if change["bound"] == "more than" else -math.inf)
            found = segment(name, {**row, change["column"]: to}) or otherwise[name]
            assert found == change["segment"], (customer["customer"], change, found)
            changed += 1
            if change["change"] is None:
                continue
            # Nearer values lead to none of these segments.
            now = row[change["column"]]
            for part in (0.25, 0.5, 0.75, 0.999):
                nearer = now + (to - now) * part
                if isinstance(now, int):
                    nearer = round(nearer)
                if nearer == to:
                    continue
                found = segment(name, {**row, change["column"]: nearer}) or otherwise[name]
                assert found != change["segment"], (customer["customer"], change, nearer)
assert checked > 1_000 and changed > 500, (checked, changed)
print(f"{len(explained)} customers, {checked} conditions, {changed} changes")
