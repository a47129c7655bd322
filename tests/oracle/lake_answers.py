"""The expected results of a generated lake: rows by outcome, and every feature of every customer.

DuckDB reads the files where it can and evaluates every expression; aggregates are computed here, exactly.
"""

import os
import statistics
from collections import Counter
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from math import fsum, isqrt

import duckdb
import pyarrow as pa

from lake_values import wall


def table_of(source, zone):
    """The rows of a source as a table: values with times as local times of the pipeline's zone, the row number, and whether the row has a broken value."""
    arrays, names = [], []
    for column in source.columns:
        values = [None if column.name in row["_text"] else row[column.name] for row in source.rows]
        if column.kind == "timestamp":
            values = [None if v is None else wall(v, zone) for v in values]
        arrays.append(pa.array(values, column.arrow()))
        names.append(column.name)
    arrays += [pa.array(range(len(source.rows)), pa.int64()), pa.array([bool(row["_text"]) for row in source.rows], pa.bool_())]
    return pa.table(arrays, names=[*names, "_row", "_broken"])


class Answers:
    def __init__(self, lake):
        self.lake, self.world = lake, lake.world
        self.db = duckdb.connect(config={"threads": 1})
        self.day = f"date '{lake.world.as_of}'"
        self.used, self.counts = {}, {}
        for source in sorted(lake.sources, key=lambda source: source.only_keys_of is not None):
            self.classify(source)

    def sql(self, text):
        return text.replace("as_of()", self.day)

    def classify(self, source):
        """Assigns one outcome to every row, in the order: not visible, filter false, broken, key, time, rules, filter null, keys of another source, repeated.
        A filter that makes something of null is asked behind the broken rows, whose values are null."""
        db, raw = self.db, table_of(source, self.world.zone)
        db.register(f"raw_{source.name}", raw)
        relation = f"raw_{source.name}"
        for name, text in source.derive.items():
            relation = f"(select *, {self.sql(text)} as {name} from {relation})"
        events = source.kind == "events"
        key = source.columns[0]
        missing = "customer_id is null" + (" or trim(customer_id) = ''" if key.kind == "string" else "")
        steps = [("future", f"cast(t as date) > {self.day}" if events else "false")]
        if any(c.name == "known" for c in source.columns):
            steps.append(("unknown", f"known > {self.day}"))
        excluded = [("filtered", f"({self.sql(source.filter)}) is not distinct from false")] if source.filter else []
        broken = [("quarantined", "_broken")]
        steps += broken + excluded if "null" in (source.filter or "") else excluded + broken
        steps.append((outcome(source.missing_key), missing))
        if events:
            steps.append(("quarantined", "t is null"))
        steps += [(outcome(on_fail), f"not ({self.sql(check)})") for _, check, on_fail in source.rules]
        if source.filter:
            steps.append(("filtered", f"({self.sql(source.filter)}) is null"))
        if source.only_keys_of:
            steps.append(("filtered", f"customer_id not in (select customer_id from used_{source.only_keys_of})"))
        cases = " ".join(f"when {condition} then '{name}'" for name, condition in steps)
        db.execute(f"create table all_{source.name} as select *, case {cases} else 'used' end as _outcome from {relation}")
        self.repeated(source)
        self.counts[source.name] = dict(db.execute(f"select _outcome, count(*) from all_{source.name} group by 1").fetchall())
        day = "cast(t as date)" if events else "null::date"
        db.execute(f"create table used_{source.name} as select *, {day} as _day from all_{source.name} where _outcome = 'used'")

    def repeated(self, source):
        if source.duplicates == "keep":
            return
        by = "customer_id, t" if source.duplicates == "unique" else ", ".join(c.name for c in source.columns)
        self.db.execute(f"""update all_{source.name} set _outcome = 'dropped' where _outcome = 'used' and _row not in
            (select min(_row) from all_{source.name} where _outcome = 'used' group by {by})""")

    def customers(self):
        return [k for (k,) in self.db.execute(" union ".join(f"select customer_id from used_{name}" for name in self.lake.base) + " order by 1").fetchall()]

    def feature(self, feature):
        """The value of a feature for each customer that has one."""
        where = []
        window = int(feature["window"][:-1]) if "window" in feature else None
        offset = int(feature["offset"][:-1]) if "offset" in feature else 0
        end = self.world.as_of - timedelta(days=offset)
        if window is not None:
            where += [f"_day <= date '{end}'", f"_day > date '{end - timedelta(days=window)}'"]
        if "where" in feature:
            where.append(f"({self.sql(feature['where'])})")
        source = next(s for s in self.lake.sources if s.name == feature["from"])
        order = "t, _row" if source.kind == "events" else "_row"
        of = self.sql(feature.get("of", "1"))
        condition = f" where {' and '.join(where)}" if where else ""
        rows = self.db.execute(f"select customer_id, {of} from used_{source.name}{condition} order by {order}").fetchall()
        values = {}
        for key, value in rows:
            values.setdefault(key, []).append(value)
        return {key: aggregate(feature["agg"], found) for key, found in values.items()}

    def outside(self):
        """The values of each feature for keys that are not customers: a run computes them before it knows the customers."""
        customers = set(self.customers())
        return [[value for key, value in self.feature(f).items() if key not in customers] for f in self.lake.features]

    def expected(self):
        """For each customer the values of all features, in order; counts and sums of no rows are 0."""
        columns = [self.feature(f) for f in self.lake.features]
        zero = [0 if f["agg"] in ("count", "count_distinct", "sum") else None for f in self.lake.features]
        return {key: [column.get(key, none) for column, none in zip(columns, zero)] for key in self.customers()}


def outcome(on_bad_row):
    return {"quarantine": "quarantined", "drop": "dropped"}[on_bad_row]


def aggregate(agg, found):
    """An aggregate of a customer's values in the order of their rows, exact until the final rounding."""
    if agg in ("first", "last"):
        return found[0 if agg == "first" else -1]
    values = [v for v in found if v is not None]
    if agg == "count":
        return len(values)
    if agg == "count_distinct":
        return len(set(values))
    if agg == "sum":
        return add(values)
    if not values:
        return None
    if agg in ("min", "max"):
        return (min if agg == "min" else max)(values)
    parts = [Fraction(v) for v in values]
    if agg == "mean":
        return float(sum(parts) / len(parts))
    if agg == "median":
        return float(statistics.median(parts))
    if len(parts) < 2:
        return None
    mean = sum(parts) / len(parts)
    return root(sum((v - mean) ** 2 for v in parts) / (len(parts) - 1))


def add(values):
    if any(isinstance(v, float) for v in values):
        return float(sum(Fraction(v) for v in values))
    with localcontext() as context:
        context.prec = 100
        return sum(values)


def root(value):
    """Square root of an exact quotient: to sixty digits, then the nearest float."""
    scale = 10**60
    return float(Fraction(isqrt(value.numerator * scale * scale // value.denominator), scale))
