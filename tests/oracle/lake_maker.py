"""Seeded lakes: rows, the files that hold them, and a pipeline over them."""

import json
import os
import random
from datetime import datetime, timedelta

import pyarrow as pa

from lake_files import TextForm, spell_partition, write_beside, write_csv, write_delta, write_ndjson, write_parquet
from lake_values import Column, World, key_maker, wall

NUMBERS = ("i64", "u64", "f64", "decimal")
GARBAGE = {"i64": ["abc", "1e", "--1"], "u64": ["abc", "x1"], "f64": ["abc", "1.2.3x", "?"], "decimal": ["abc", "x"], "bool": ["maybe"],
           "date": ["yesterday", "2026-13-45"], "timestamp": ["yesterday", "2026-13-45 00:00:00"]}
# How a time that the pipeline converts is stored in the files: the kind of its column, its format, and the expression.
CONVERTED = {
    "date": [("string", "%Y-%m-%d", "cast(t_raw as date)"), ("string", "%d.%m.%Y", "strptime(t_raw, '%d.%m.%Y')")],
    "timestamp": [("string", "%Y-%m-%d %H:%M:%S", "cast(t_raw as timestamp)"), ("string", "Z", "cast(t_raw as timestamp)"),
                  ("string", "%d.%m.%Y %H:%M:%S", "strptime(t_raw, '%d.%m.%Y %H:%M:%S')"), ("i64", "ms", "to_timestamp(t_raw, 'ms')"),
                  ("i64", "s", "to_timestamp(t_raw, 's')")],
}
LABELS = ["United Kingdom", "Côte d'Ivoire", "A+B", "100%", "DE", None, "x=y"]


class File:
    """A file of a source: its rows, the columns that it lacks, its values of partition columns."""

    def __init__(self, path, partition, absent):
        self.path, self.partition, self.absent, self.rows, self.columns = path, partition, absent, [], []


class Source:
    """A source with its true rows."""

    def __init__(self, name, kind, rng, world):
        self.name, self.kind, self.rng, self.world = name, kind, rng, world
        self.columns, self.files, self.rows = [], [], []
        self.partitions, self.settings, self.rules = [], {}, []
        self.filter, self.derive, self.duplicates = None, {}, "keep"
        self.only_keys_of = None
        self.undeclared, self.passed_over = set(), []
        self.raw, self.form, self.converted, self.delta = None, None, None, False
        self.missing_key = rng.choice(["quarantine", "drop"])

    def held(self):
        """The columns in the files: without partition columns, and with unconverted columns for times that the pipeline converts."""
        return [self.raw if self.raw and c.name == "t" else c for c in self.columns if c not in self.partitions]

    def column(self, name):
        return next(c for c in self.columns if c.name == name)


def make(seed, folder):
    """Makes the lake of a seed in a folder and returns its sources and the features of the pipeline."""
    rng = random.Random(seed)
    world = World(rng)
    keys = key_maker(kind := rng.choice(["string", "string", "string", "i64", "i64", "uuid"]), rng)
    lake = Lake(rng, world, kind, keys)
    lake.sources.append(orders(lake))
    if rng.random() < 0.3:
        lake.sources.append(attributes(lake))
    lake.base = [s.name for s in lake.sources]
    if len(lake.sources) > 1 and rng.random() < 0.3:
        lake.base = ["crm"]
        if rng.random() < 0.5:
            lake.sources[0].only_keys_of = "crm"
    for source in lake.sources:
        write(source, folder)
    lake.features = features(lake)
    with open(os.path.join(folder, "pipeline.toml"), "w", encoding="utf-8") as file:
        file.write(pipeline(lake))
    return lake


class Lake:
    def __init__(self, rng, world, key_kind, keys):
        self.rng, self.world, self.key_kind, self.keys = rng, world, key_kind, keys
        self.sources, self.features, self.base = [], [], []


def draw_columns(source, lake):
    rng = lake.rng
    source.columns = [Column("customer_id", "string" if lake.key_kind == "uuid" else lake.key_kind, rng)]
    time_kind = rng.choice(["date", "timestamp", "timestamp"])
    source.columns.append(Column("t", time_kind, rng))
    if rng.random() < 0.25:
        kind, form, text = rng.choice(CONVERTED[time_kind])
        source.raw, source.converted = Column("t_raw", kind, rng), (form, text)
    amount = rng.choice(["f64", "decimal", "decimal", "i64", "u64"])
    source.columns.append(Column("amount", amount, rng, nulls=rng.choice([0, 0.2]), digits=rng.choice([9, 18, 38]), scale=rng.choice([0, 2, 2, 4]),
                                 wide=rng.random() < 0.2))
    for name, kind in (("items", "i64"), ("price", "decimal"), ("label", "string"), ("flag", "bool"), ("seen", rng.choice(["date", "timestamp"])),
                       ("units", "u64"), ("weight", "f64"), ("channel", "string")):
        if rng.random() < 0.45:
            source.columns.append(Column(name, kind, rng, nulls=rng.choice([0, 0.1, 0.5, 1.0 if rng.random() < 0.2 else 0.3]),
                                         digits=rng.choice([5, 18, 30]), scale=rng.choice([0, 1, 2, 6]) if kind == "decimal" else 2,
                                         wide=rng.random() < 0.15))
    if rng.random() < 0.2:
        source.columns.append(Column("known", "date", rng))


def orders(lake):
    rng, world = lake.rng, lake.world
    source = Source("orders", "events", rng, world)
    source.format = rng.choice(["parquet"] * 6 + ["csv", "csv", "csv", "ndjson"])
    draw_columns(source, lake)
    if rng.random() < 0.3:
        source.partitions = rng.sample([Column("region", "string", rng), Column("yr", "i64", rng), Column("day", "date", rng)], rng.randint(1, 2))
        source.columns += source.partitions
    if source.format == "parquet" and rng.random() < 0.2:
        source.undeclared = {c.name for c in source.columns[2:] if c.kind != "timestamp" and c not in source.partitions and rng.random() < 0.5}
    source.delta = source.format == "parquet" and all(c.kind != "u64" for c in source.columns) and rng.random() < 0.12
    draw_rules(source)
    draw_rows(source, lake, rng.randint(1, 60))
    return source


def attributes(lake):
    rng, world = lake.rng, lake.world
    source = Source("crm", "attributes", rng, world)
    source.format = rng.choice(["parquet", "csv", "ndjson"])
    source.columns = [Column("customer_id", "string" if lake.key_kind == "uuid" else lake.key_kind, rng), Column("tier", "string", rng, nulls=0.1),
                      Column("seats", "i64", rng, nulls=0.2)]
    for key in rng.sample(lake.keys, rng.randint(1, 12)):
        row = {"customer_id": key, "_text": {}} | {c.name: c.draw(rng, world) for c in source.columns[1:]}
        source.rows.append(row)
    spread(source, rng, lacking=False)
    return source


def draw_rules(source):
    rng = source.rng
    numbers = [c for c in source.columns if c.kind in NUMBERS]
    texts = [c for c in source.columns if c.kind == "string" and c.name not in ("customer_id", "region")]
    conditions = [f"{c.name} >= 0" for c in numbers] + [f"{c.name} < 500" for c in numbers] + [f"{c.name} is not null" for c in source.columns[2:]]
    conditions += [f"{c.name} <> 'web'" for c in texts] + [f"length({c.name}) < 8" for c in texts] + ["customer_id is not null"]
    for number in range(rng.choice([0, 0, 1, 2])):
        source.rules.append((f"rule {number}", rng.choice(conditions), rng.choice(["quarantine", "drop"])))
    if rng.random() < 0.3:
        source.filter = rng.choice(conditions)
    for number in range(rng.choice([0, 0, 1, 2])):
        source.derive[f"extra{number}"] = rng.choice(derivations(source))
    source.duplicates = rng.choice(["keep", "keep", "keep", "drop_exact", "unique"])


def derivations(source):
    found = ["case when customer_id is null then 'none' else 'some' end"]
    for c in source.columns[2:]:
        if c.kind == "f64" or (c.kind == "i64" and not c.wide):
            found += [f"coalesce({c.name}, 0) + 1", f"{c.name} * 2", f"case when {c.name} > 10 then 1 else 0 end", f"abs({c.name})"]
        if c.kind == "string":
            found += [f"length({c.name})", f"coalesce(lower({c.name}), 'none')", f"substring({c.name}, 1, 2)"]
        if c.kind == "date":
            found.append(f"date_diff('day', {c.name}, as_of())")
        if c.kind == "timestamp":
            found += [f"cast({c.name} as date)", f"date_trunc('month', {c.name})"]
    return found


def draw_rows(source, lake, count):
    rng, world = lake.rng, lake.world
    customers = rng.sample(lake.keys, rng.randint(1, 12))
    time = source.column("t")
    text = source.format != "parquet"
    names = {c.name for c in source.columns}
    late = rng.random() < 0.5
    for number in range(count):
        row = {c.name: c.draw(rng, world) for c in source.columns if c not in source.partitions}
        row["customer_id"] = rng.choice(customers)
        ago = rng.choice([rng.randint(0, 5), rng.randint(0, 400)]) if not late or rng.random() < 0.9 else -rng.randint(1, 20)
        row["t"] = world.as_of - timedelta(days=ago) if time.kind == "date" else world.instant(rng, ago)
        if rng.random() < 0.03:
            row["customer_id"] = rng.choice([None, "", "  "]) if source.columns[0].kind == "string" and lake.key_kind != "uuid" else None
        if rng.random() < 0.02:
            row["t"] = None
        if "known" in names:
            row["known"] = world.as_of - timedelta(days=rng.choice([ago, ago - 2, 0, -3]))
        row["_text"] = {}
        if source.raw and source.raw.kind == "string" and ago >= 0 and rng.random() < 0.03:
            row["_text"] |= {"t": None, "t_raw": rng.choice(GARBAGE["date"])}
        if text and ago >= 0 and rng.random() < 0.05:
            broken = rng.choice([c for c in source.columns if c not in source.partitions and c.kind != "string" and c.name != "customer_id"])
            row["_text"][broken.name] = rng.choice(GARBAGE[broken.kind])
            if broken.name == "t" and source.raw:
                row["_text"]["t_raw"] = row["_text"]["t"]
        if row["_text"] and "known" in names:
            row["known"] = world.as_of
        if source.raw:
            row["t_raw"] = raw_time(source, row["t"])
        source.rows.append(row)
    spread(source, rng, lacking=True)
    repeat_rows(source)


def raw_time(source, value):
    """A time as the text or number from which the pipeline converts it."""
    form = source.converted[0]
    if value is None:
        return None
    if form in ("ms", "s"):
        seconds = (value - datetime(1970, 1, 1)) // timedelta(seconds=1)
        return seconds * 1000 if form == "ms" else seconds
    if form == "Z":
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (value if source.column("t").kind == "date" else wall(value, source.world.naive)).strftime(form)


def spread(source, rng, lacking):
    """Distributes the rows over files; a file may lack columns, whose values are null there."""
    count = rng.choice([1, 1, 2, 3, 5])
    optional = [c for c in source.columns if c.name not in ("customer_id", "t", "known") and c not in source.partitions]
    for number in range(count):
        partition = {c.name: partition_value(c, rng, source.world) for c in source.partitions}
        absent = {c.name for c in optional if rng.random() < 0.15} if lacking and count > 1 and number > 0 else set()
        source.files.append(File(None, partition, absent))
    for row in source.rows:
        file = rng.choice(source.files)
        row |= file.partition
        for name in file.absent:
            row[name] = None
            row["_text"].pop(name, None)
        file.rows.append(row)
    name_files(source, rng)


def partition_value(column, rng, world):
    if column.kind == "string":
        return rng.choice(LABELS)
    if column.kind == "i64":
        return rng.choice([2024, 2025, 2026, None])
    return world.as_of - timedelta(days=rng.randint(0, 3))


def repeat_rows(source):
    rng = source.rng
    if source.duplicates == "keep" or not source.rows:
        return
    for _ in range(rng.randint(0, 5)):
        row = rng.choice(source.rows)
        home = next(f for f in source.files if any(r is row for r in f.rows))
        alike = [f for f in source.files if f.partition == home.partition and all(row[name] is None for name in f.absent)]
        copy = dict(row)
        rng.choice(alike).rows.append(copy)
        source.rows.append(copy)


STEMS = ["part-{:05}", "2026-0{}", "order list {}", "bestellungen_köln_{}", "注文{}", "run={}", "x[{}]", "a%20b{}"]
TEXT_ENDS = {"csv": [".csv", ".csv", ".csv", ".CSV", ".csv.gz", ".csv.zst", ".csv.bz2"], "ndjson": [".ndjson", ".jsonl", ".ndjson.gz", ".json"]}


def name_files(source, rng):
    nested = rng.random() < 0.25
    stem = rng.choice(STEMS)
    for number, file in enumerate(source.files):
        folders = [f"{c.name}={spell_day(c, file.partition[c.name], rng)}" for c in source.partitions]
        if nested and not folders:
            folders = [rng.choice(["2025", "2026/05", "a b"])]
        end = rng.choice([".parquet"] * 4 + [".PARQUET", ".pq", ".parq", ".snappy.parquet"] if source.format == "parquet" else TEXT_ENDS[source.format])
        file.path = "/".join([*folders, stem.format(number) + end])


def spell_day(column, value, rng):
    if column.kind == "date" and value is not None and rng.random() < 0.4:
        return value.strftime("%Y%m%d")
    return spell_partition(value, rng)


def write(source, folder):
    rng, world = source.rng, source.world
    root = os.path.join(folder, "lake", source.name)
    os.makedirs(root)
    source.form = TextForm(rng, world, source.format, source.held() + source.partitions) if source.format != "parquet" else None
    if source.form and not source.form.encodable(source.rows):
        source.form.encoding = "utf-8"
    settle_text(source)
    held = source.held()
    repeated = [c for c in source.partitions if source.format == "parquet" and not source.delta and rng.random() < 0.3]
    shared_order = source.form is not None and not source.form.header
    for file in source.files:
        columns = [c for c in held + repeated if c.name not in file.absent or shared_order]
        if not shared_order:
            rng.shuffle(columns)
        file.columns = columns
        path = os.path.join(root, file.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if source.format == "parquet":
            write_parquet(path, columns, file.rows, rng, world, {c.name for c in held} if source.delta else source.undeclared)
        elif source.format == "csv":
            write_csv(path, source.form, columns, file.rows, rng)
        else:
            write_ndjson(path, source.form, columns, file.rows, rng)
    source.passed_over = [] if source.delta else write_beside(root, rng)
    if source.delta:
        write_delta(root, held, source.partitions, source.files, rng)
    else:
        link(source, root, rng)
    source.files.sort(key=lambda f: os.path.join(root, f.path).encode())
    source.rows = [row for file in source.files for row in file.rows]
    source.path = f"lake/{source.name}"


def settle_text(source):
    """In text files an empty text is null, and files without a header cannot lack a column."""
    if not source.form:
        return
    for row in source.rows:
        for column in source.columns:
            if source.form.kind == "csv" and row[column.name] == "":
                row[column.name] = None


def link(source, root, rng):
    """Makes a second name for a file, or for a folder: its rows count once."""
    source.links = 0
    if source.partitions or rng.random() > 0.08:
        return
    file = rng.choice(source.files)
    target = os.path.abspath(os.path.join(root, file.path))
    suffix = os.path.basename(file.path).split(".", 1)[1]
    os.symlink(target, os.path.join(root, "zz-link." + suffix))
    source.links = 1


def features(lake):
    rng = lake.rng
    source = lake.sources[0]
    columns = [c for c in source.columns if c.name not in ("known",)]
    made = []
    for number in range(rng.randint(6, 14)):
        column = rng.choice(columns)
        aggs = ["count", "count_distinct", "first", "last"]
        if column.kind in NUMBERS:
            aggs += ["sum", "sum", "mean", "min", "max", "std", "median"]
        elif column.kind in ("date", "timestamp"):
            aggs += ["min", "max"]
        agg = rng.choice(aggs)
        feature = {"name": f"f{number}", "from": source.name, "agg": agg}
        if agg != "count" or rng.random() < 0.5:
            feature["of"] = rng.choice([column.name, *(name for name in source.derive if agg in ("count", "count_distinct", "first", "last"))])
        if rng.random() < 0.4:
            feature["window"] = f"{rng.choice([1, 7, 30, 90])}d"
            if rng.random() < 0.4:
                feature["offset"] = f"{rng.choice([1, 7, 30])}d"
        if rng.random() < 0.3:
            feature["where"] = rng.choice([c for c in conditions(columns)])
        made.append(feature)
    if len(lake.sources) > 1:
        made.append({"name": "crm_rows", "from": "crm", "agg": "count"})
    return made


def conditions(columns):
    found = ["customer_id is not null"]
    for c in columns:
        found += {"string": [f"{c.name} in ('web', 'app')", f"{c.name} like 'a%'"], "bool": [c.name, f"not {c.name}"]}.get(c.kind, [])
        if c.kind in NUMBERS:
            found += [f"{c.name} > 10", f"{c.name} is null"]
        if c.kind in ("date", "timestamp"):
            found.append(f"{c.name} >= date '2026-01-01'")
    return found


def pipeline(lake):
    world = lake.world
    lines = ["spec_version = 1", 'name = "lake"', f'timezone = "{world.zone_name}"', 'currency = "EUR"', 'store = "store"', "[customer]", 'key = "customer_id"']
    if len(lake.base) < len(lake.sources):
        lines.append(f"from = {json.dumps(lake.base)}")
    for source in lake.sources:
        lines += source_lines(source)
    lines.append("[features]")
    for feature in lake.features:
        inner = ", ".join(f"{k} = {json.dumps(v)}" for k, v in feature.items() if k != "name")
        lines.append(f"{feature['name']} = {{ {inner} }}")
    return "\n".join(lines) + "\n"


def source_lines(source):
    names = {c.name for c in source.columns}
    lines = [f"[sources.{source.name}]", f'kind = "{source.kind}"', f'path = "{source.path}"', 'key = "customer_id"']
    if source.kind == "events":
        lines += ['time = "t"', f'time_zone = "{source.world.naive_name}"']
    if "known" in names:
        lines.append('known_at = "known"')
    derive = ({"t": source.converted[1]} if source.raw else {}) | source.derive
    if derive:
        lines.append("derive = { " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in derive.items()) + " }")
    if source.filter:
        lines.append(f"filter = {json.dumps(source.filter)}")
    if source.only_keys_of:
        lines.append(f'only_keys_of = "{source.only_keys_of}"')
    if source.kind == "attributes":
        lines += ['attributes.tier = { base = "needs" }', 'attributes.seats = { base = "firmographic" }']
    settings = source.form.settings([c.name for c in source.held()]) if source.form else []
    if settings:
        lines += [f"[sources.{source.name}.text]", *settings]
    lines.append(f"[sources.{source.name}.contract]")
    declared = [f"{c.name} = {source.form.contract(c) if source.form else json.dumps(c.contract())}"
                for c in source.held() + source.partitions if c.name not in source.undeclared]
    lines += ["columns = { " + ", ".join(declared) + " }", f'missing_key = "{source.missing_key}"']
    if source.duplicates == "unique":
        lines.append('duplicates = { unique = ["customer_id", "t"], on_fail = "drop" }')
    else:
        lines.append(f'duplicates = "{source.duplicates}"')
    if source.rules:
        rules = ", ".join(f"{{ name = {json.dumps(n)}, check = {json.dumps(c)}, on_fail = {json.dumps(o)} }}" for n, c, o in source.rules)
        lines.append(f"rules = [{rules}]")
    return lines
