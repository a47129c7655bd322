"""Every feature of a pipeline, computed a second time with DuckDB and compared with a published `customers.parquet`.

Usage: features.py PIPELINE LAKE CUSTOMERS.parquet AS_OF      (needs Python 3.11 and duckdb, pyarrow)

Written from the project's definitions and the pipeline file; it shares no code with tessera. One line per feature; exit code 1 on
any difference. Integers, dates and labels must be equal, floats within a relative difference of 1e-9 (absolute for values below 1),
and the same values must be null.
"""

import csv
import glob
import json
import math
import os
import re
import sys
import tomllib
from datetime import date

import duckdb
import pyarrow as pa

TYPES = {
    "bool": "BOOLEAN", "i8": "TINYINT", "i16": "SMALLINT", "i32": "INTEGER", "i64": "BIGINT", "u8": "UTINYINT",
    "u16": "USMALLINT", "u32": "UINTEGER", "f32": "FLOAT", "f64": "DOUBLE", "decimal": "DOUBLE", "string": "VARCHAR",
    "date": "DATE", "timestamp": "TIMESTAMP",
}
RFM = ["recency_days", "order_count", "spend_total", "order_value_mean", "tenure_days", "occasions", "repeat_occasions",
       "t_x_days", "repeat_spend_mean"]
# DEFINITIONS §1 and §2 over the aggregates of the orders source. No order: counts and sums are 0, the rest is null.
CATALOGUE = {
    "first_order_day": "_first_day", "last_order_day": "_last_day", "first_day_spend": "_first_spend",
    "recency_days": "date_diff('day', _last_day, as_of())",
    "tenure_days": "date_diff('day', _first_day, as_of())",
    "order_count": "_orders", "spend_total": "_spend", "occasions": "_days",
    "order_value_mean": "_spend / nullif(_orders, 0)",
    "repeat_occasions": "case when _days > 0 then _days - 1 end",
    "t_x_days": "date_diff('day', _first_day, _last_day)",
    "repeat_spend_mean": "case when _days > 1 then (_spend - _first_spend) / (_days - 1) end",
}
TOLERANCE = 1e-9


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def load_pipeline(path, lake):
    with open(path, "rb") as file:
        pipeline = tomllib.load(file)
    values = dict(pipeline.get("vars", {}), lake=lake)

    def resolve(value):
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda m: resolve(values[m[1]]), value)
        if isinstance(value, dict):
            return {key: resolve(inner) for key, inner in value.items()}
        return [resolve(inner) for inner in value] if isinstance(value, list) else value

    return {key: resolve(value) for key, value in pipeline.items() if key != "vars"}


def days(text):
    if text is None:
        return None
    number, unit = re.fullmatch(r"(\d+)([dw])", text).groups()
    return int(number) * {"d": 1, "w": 7}[unit]


class Source:
    """Used rows of one source at `as_of`: the table `used_NAME` with `_key`, `_time`, `_day`, `_file`, `_row`."""

    def __init__(self, db, name, spec, zone, as_of):
        self.db, self.name, self.spec, self.zone, self.as_of = db, name, spec, zone, as_of
        self.contract = spec["contract"]
        self.table = quoted("used_" + name)
        self.read()
        self.take_part()

    def files(self):
        path = self.spec["path"]
        if os.path.isdir(path):
            found = glob.glob(os.path.join(path, "**", "*.*"), recursive=True)
            found = [f for f in found if f.rsplit(".", 1)[-1] in ("parquet", "csv", "ndjson")]
        else:
            found = glob.glob(path)
        return sorted(found)

    def read(self):
        files = self.files()
        if not files:
            sys.exit(f"{self.name}: no files at {self.spec['path']}")
        extension = self.spec.get("format") or files[0].rsplit(".", 1)[-1]
        if extension == "parquet":
            self.db.execute("create or replace temp table files (filename varchar, _file bigint)")
            self.db.executemany("insert into files values (?, ?)", [(f, i) for i, f in enumerate(files)])
            self.db.execute(f"""
                create or replace temp table raw as
                select p.* exclude (filename, file_row_number), f._file, p.file_row_number as _row, false as _broken
                from read_parquet({files}, hive_partitioning = true, hive_types_autocast = false, union_by_name = true,
                                  filename = true, file_row_number = true) p join files f using (filename)""")
        else:
            self.read_text(files, extension)

    def read_text(self, files, extension):
        rows = []
        for number, path in enumerate(files):
            with open(path, newline="", encoding="utf-8") as file:
                lines = csv.DictReader(file) if extension == "csv" else (json.loads(line) for line in file if line.strip())
                for row, line in enumerate(lines):
                    text = {k: None if v is None or (extension == "csv" and v == "") else str(v) for k, v in line.items()}
                    rows.append(text | {"_file": number, "_row": row})
        self.db.register("text_rows", pa.Table.from_pylist(rows))
        columns = [c for c in rows[0] if not c.startswith("_")]
        typed, broken = [], ["false"]
        for column in columns:
            sql = TYPES.get(self.contract.get("columns", {}).get(column, "string"))
            typed.append(f"try_cast({quoted(column)} as {sql}) as {quoted(column)}")
            broken.append(f"({quoted(column)} is not null and try_cast({quoted(column)} as {sql}) is null)")
        self.db.execute(f"create or replace temp table raw as select {', '.join(typed)}, _file, _row, "
                        f"({' or '.join(broken)}) as _broken from text_rows")
        self.db.unregister("text_rows")

    def local(self, column, kind):
        """A column as local time of the pipeline's time zone."""
        name = quoted(column)
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"timezone('{self.zone}', {name})"
        stated = self.spec.get("time_zone", self.zone)
        if kind.startswith("TIMESTAMP") and stated != self.zone:
            return f"timezone('{self.zone}', timezone('{stated}', {name}))"
        return name

    def take_part(self):
        spec, db = self.spec, self.db
        kinds = {row[0]: row[1] for row in db.execute("describe raw").fetchall()}
        self.columns = [c for c in kinds if not c.startswith("_")]
        local = {c: self.local(c, kinds[c]) for c in self.columns}
        until = spec.get("until")
        if until:
            local[until] = f"case when cast({local[until]} as date) <= {self.day()} then {local[until]} end"
        select = ", ".join(f"{sql} as {quoted(c)}" for c, sql in local.items())
        db.execute(f"create or replace temp table rows as select {select}, _file, _row, _broken from raw")
        time = quoted(spec["time"]) if "time" in spec else "null::timestamp"
        visible = f"({time} is null or cast({time} as date) <= {self.day()})"
        if "known_at" in spec:
            known = quoted(spec["known_at"])
            visible += f" and ({known} is null or cast({known} as date) <= {self.day()})"
        derived = "rows"
        for name, text in spec.get("derive", {}).items():
            derived = f"(select *, {self.sql(text)} as {quoted(name)} from {derived})"
        key = quoted(spec["key"])
        keep = [visible, "not _broken", f"{key} is not null"]
        keep += [f"coalesce({self.sql(rule['check'])}, true)" for rule in self.contract.get("rules", [])]
        if "filter" in spec:
            keep.append(f"coalesce({self.sql(spec['filter'])}, false)")
        db.execute(f"""create or replace temp table {self.table} as
            select *, {key} as _key, {time} as _time, cast({time} as date) as _day from {derived}
            where {' and '.join(f'({k})' for k in keep)}""")
        self.drop_duplicates()

    def drop_duplicates(self):
        duplicates = self.contract.get("duplicates", "keep")
        if duplicates == "keep":
            return
        columns = duplicates["unique"] if isinstance(duplicates, dict) else self.columns
        by = ", ".join(quoted(c) for c in columns)
        self.db.execute(f"create or replace temp table {self.table} as select * from {self.table} "
                        f"qualify row_number() over (partition by {by} order by _file, _row) = 1")

    def day(self):
        return f"date '{self.as_of}'"

    def sql(self, text):
        return text.replace("as_of()", self.day())


def aggregate(source, declared):
    """Key and value of one declared aggregate, as SQL."""
    where = []
    window, offset = days(declared.get("window")), days(declared.get("offset")) or 0
    if window is not None or offset:
        where.append(f"_day <= {source.day()} - {offset}")
    if window is not None:
        where.append(f"_day > {source.day()} - {offset + window}")
    if "where" in declared:
        where.append(f"({source.sql(declared['where'])})")
    of = f"({source.sql(declared['of'])})" if "of" in declared else "*"
    value = {
        "count": f"count({of})", "count_distinct": f"count(distinct {of})", "sum": f"list({of})", "mean": f"list({of})",
        "min": f"min({of})", "max": f"max({of})", "std": f"list({of})", "median": f"median({of})",
        "first": f"first({of} order by _time, _file, _row)", "last": f"last({of} order by _time, _file, _row)",
    }[declared["agg"]]
    condition = f" where {' and '.join(where)}" if where else ""
    return f"select _key, {value} as value from {source.table}{condition} group by _key"


def exact(agg, values):
    """Sum, mean or sample standard deviation without intermediate rounding."""
    values = [v for v in values if v is not None]
    if agg == "sum":
        return math.fsum(values) if any(isinstance(v, float) for v in values) else sum(values)
    if not values or (agg == "std" and len(values) < 2):
        return None
    mean = math.fsum(values) / len(values)
    return mean if agg == "mean" else math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


class Customers:
    """The table `customers`: one row per key, one column per feature."""

    def __init__(self, db, sources, base, as_of):
        self.db, self.as_of = db, as_of
        keys = " union ".join(f"select _key from {sources[name].table}" for name in base)
        db.execute(f"create or replace temp table customers as select distinct _key from ({keys})")
        self.names = []

    def join(self, name, sql, agg=None):
        """Adds the value that `sql` gives for each key; counts and sums of no rows are 0."""
        if agg in ("sum", "mean", "std"):
            rows = [(key, exact(agg, values)) for key, values in self.db.execute(sql).fetchall()]
            kind = pa.float64() if any(isinstance(v, float) for _, v in rows) or agg != "sum" else pa.int64()
            keys = self.db.sql("select _key from customers limit 0").to_arrow_table().schema.field(0).type
            table = pa.table({"_key": pa.array([k for k, _ in rows], keys), "value": pa.array([v for _, v in rows], kind)})
            self.db.register("joined", table)
        else:
            self.db.execute(f"create or replace temp view joined as {sql}")
        value = "coalesce(j.value, 0)" if agg in ("sum", "count", "count_distinct") else "j.value"
        self.db.execute(f"create or replace temp table customers as select c.*, {value} as {quoted(name)} "
                        f"from customers c left join joined j using (_key)")
        if agg in ("sum", "mean", "std"):
            self.db.unregister("joined")
        else:
            self.db.execute("drop view joined")

    def derive(self, name, text):
        text = text.replace("as_of()", f"date '{self.as_of}'")
        self.db.execute(f"create or replace temp table customers as select *, ({text}) as {quoted(name)} from customers")

    def columns(self):
        return {row[0] for row in self.db.execute("describe customers").fetchall()}


def catalogue_aggregates(customers, source):
    orders = quoted(source.spec["order_id"]) if "order_id" in source.spec else None
    amount = quoted(source.spec.get("amount", "amount"))
    count = f"count(distinct {orders})" if orders else "count(*)"
    per_key = f"from {source.table} group by _key"
    customers.join("_orders", f"select _key, {count} as value {per_key}", "count")
    customers.join("_days", f"select _key, count(distinct _day) as value {per_key}", "count")
    customers.join("_first_day", f"select _key, min(_day) as value {per_key}")
    customers.join("_last_day", f"select _key, max(_day) as value {per_key}")
    if source.spec.get("amount") or "amount" in source.columns or "amount" in source.spec.get("derive", {}):
        customers.join("_spend", f"select _key, list({amount}) as value {per_key}", "sum")
        first = f"(select *, min(_day) over (partition by _key) as _first from {source.table})"
        customers.join("_first_spend", f"select _key, list({amount}) as value from {first} where _day = _first group by _key", "sum")


def stage(limits):
    """DEFINITIONS §3. Fixed limits: new customers, then by days since the last order. Cadence: by expected gaps overdue."""
    if limits.get("kind") == "cadence":
        prior = limits.get("prior_gaps", 3)
        base = "(select sum(_t_x)::double / nullif(sum(_repeats), 0) from (select date_diff('day', _first_day, _last_day) as _t_x, " \
               "greatest(_days - 1, 0) as _repeats from customers))"
        gap = f"((date_diff('day', _first_day, _last_day) + {prior} * {base}) / (_days - 1 + {prior}))"
        overdue = f"(date_diff('day', _last_day, as_of()) / nullif({gap}, 0))"
        return (f"case when {overdue} is null then null when {overdue} <= 1 then 'active' when {overdue} <= 2 then 'slipping' "
                f"when {overdue} <= 3 then 'at risk' else 'lapsed' end")
    active, risk, dormant = (limits.get(k, d) for k, d in (("active_days", 30), ("at_risk_days", 90), ("dormant_days", 365)))
    return (f"case when recency_days is null then null when tenure_days <= {active} then 'new' "
            f"when recency_days <= {active} then 'active' when recency_days <= {risk} then 'at risk' "
            f"when recency_days <= {dormant} then 'dormant' else 'churned' end")


def compute(db, pipeline, as_of):
    """Fills the table `customers`; returns the names of the features that a run publishes, in order."""
    sources = {name: Source(db, name, spec, pipeline["timezone"], as_of) for name, spec in pipeline["sources"].items()}
    customers = Customers(db, sources, pipeline["customer"].get("from", list(sources)), as_of)
    features = dict(pipeline.get("features", {}))
    used, orders, limits = features.pop("use", []), features.pop("orders", None), features.pop("lifecycle", {})
    wanted, waiting = [], {}
    for name in used:
        for feature in {"rfm": RFM, "lifecycle": ["lifecycle_stage"]}.get(name, [name]):
            wanted.append(feature)
    if used:
        events = [name for name, spec in pipeline["sources"].items() if spec["kind"] == "events"]
        catalogue_aggregates(customers, sources[orders or events[0]])
        waiting = {name: text for name, text in CATALOGUE.items() if name in wanted or "lifecycle_stage" in wanted}
        if "lifecycle_stage" in wanted:
            waiting["lifecycle_stage"] = stage(limits)
    for name, spec in pipeline["sources"].items():
        source = sources[name]
        for column in spec.get("attributes", {}):
            until = quoted(spec["until"]) if "until" in spec else "null::date"
            order = "_time, _file, _row" if "time" in spec else "_file, _row"
            customers.join(column, f"select _key, last({quoted(column)} order by {order}) as value from {source.table} "
                                   f"where {until} is null group by _key")
            wanted.append(column)
    for name, declared in features.items():
        wanted.append(name)
        if "expr" in declared:
            waiting[name] = declared["expr"]
        else:
            customers.join(name, aggregate(sources[declared["from"]], declared), declared["agg"])
    while waiting:
        ready = [n for n, text in waiting.items() if not (set(re.findall(r"\w+", re.sub(r"'[^']*'", "", text))) & set(waiting))]
        if not ready:
            sys.exit(f"expressions need each other: {sorted(waiting)}")
        for name in ready:
            customers.derive(name, waiting.pop(name))
    return wanted


def differs(expected, got):
    if expected is None or got is None:
        return (expected is None) != (got is None)
    if isinstance(expected, float) or isinstance(got, float):
        expected, got = float(expected), float(got)
        return not abs(expected - got) <= TOLERANCE * max(1.0, abs(expected))
    return expected != got


def score_columns(name, score):
    """The columns that a score adds to `customers`; its values are tested against the literature, not here."""
    match score["kind"]:
        case "supervised":
            return [f"{name}_probability", f"{name}_excluded", *(f"{name}_reason_{rank}" for rank in (1, 2, 3)),
                    f"{name}_reasons_direction"]
        case "contractual":
            value = [f"{name}_residual_value"] if "value" in score else []
            return [f"{name}_survival_probability", f"{name}_remaining_days", *value]
        case "health":
            return [name, f"{name}_band", f"{name}_coverage"]
        case "clv":
            spend = "gamma_gamma" in score["models"]
            estimates = ["alive_probability", "expected_purchases", "no_purchase_probability"]
            estimates += ["expected_spend", "clv"] if spend else []
            columns = estimates + ["model_fallback"]
            return [score.get("prefix", "") + column for column in columns + (["past_value"] if spend else [])]


def compare(db, pipeline, wanted, published, as_of):
    key = quoted(pipeline["customer"]["key"])
    db.execute(f"create temp view published as select * from read_parquet('{published}', hive_partitioning = false)")
    columns = {row[0]: row[1] for row in db.execute("describe published").fetchall()}
    failures = 0
    sizes = db.execute(f"""select (select count(*) from customers), (select count(*) from published),
        (select count(*) from customers c join published p on c._key = p.{key}),
        (select count(*) from published where as_of is distinct from date '{as_of}')""").fetchone()
    alike = sizes[0] == sizes[1] == sizes[2] and sizes[3] == 0
    print(f"{'ok  ' if alike else 'FAIL'} customers: expected {sizes[0]}, published {sizes[1]}, in both {sizes[2]}, of another day {sizes[3]}")
    failures += not alike
    for name in wanted:
        if name not in columns:
            print(f"FAIL {name}: not published")
            failures += 1
            continue
        rows = db.execute(f"select c._key, c.{quoted(name)}, p.{quoted(name)} from customers c join published p "
                          f"on c._key = p.{key} order by 1").fetchall()
        wrong = [row for row in rows if differs(row[1], row[2])]
        nulls = sum(row[1] is None for row in rows)
        note = f"; first: customer {wrong[0][0]!r} expected {wrong[0][1]!r}, published {wrong[0][2]!r}" if wrong else ""
        print(f"{'FAIL' if wrong else 'ok  '} {name} ({columns[name]}): {len(rows)} customers, {nulls} null, {len(wrong)} differ{note}")
        failures += bool(wrong)
    schemes = set(pipeline.get("schemes", {}))
    known = {"as_of", pipeline["customer"]["key"], *wanted, *schemes}
    known |= {f"{scheme}_{ending}" for scheme in schemes for ending in ("segment_id", "score", "r", "f", "m")}
    known |= {column for name, score in pipeline.get("scores", {}).items() for column in score_columns(name, score)}
    value = pipeline.get("value", {})
    known |= {f"value_{tense}" for tense in ("now", "future", "past") if tense in value}
    known |= {"value_at_risk"} if "future" in value else set()
    for name in sorted(set(columns) - known):
        print(f"FAIL {name}: published but not declared")
        failures += 1
    return failures


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    path, lake, published, as_of = sys.argv[1:]
    date.fromisoformat(as_of)
    db = duckdb.connect()
    pipeline = load_pipeline(path, lake)
    wanted = compute(db, pipeline, as_of)
    failures = compare(db, pipeline, wanted, published, as_of)
    print(f"{len(wanted)} features, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
