"""Writing the files of a generated lake: Parquet in many encodings, delimited text, JSON lines, and other files beside them."""

import bz2
import gzip
import json
import os
from datetime import datetime, time, timezone
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from lake_values import physical, wall

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def spell_partition(value, rng):
    """A partition value in a folder's name, as Hive, Spark or a person writes it."""
    if value is None:
        return NULL_PARTITION
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe=" ',+" if rng.random() < 0.5 else "")


def write_parquet(path, columns, rows, rng, world, undeclared):
    """Writes one Parquet file with its columns in this order; undeclared columns have the type that expressions need."""
    arrays, names = [], []
    for column in columns:
        values = [row["_text"].get(column.name, row[column.name]) for row in rows]
        made = settled(column, values) if column.name in undeclared else physical(column, values, rng, world)
        arrays.append(made)
        names.append(column.name)
    table = pa.table(arrays, names=names)
    naive_utc = world.naive_name == "UTC"
    zoneless = all(not pa.types.is_timestamp(t) or t.tz is None for t in table.schema.types)
    options = {
        "compression": rng.choice(["snappy", "zstd", "gzip", "none", "lz4", "brotli"]),
        "row_group_size": rng.choice([1, 2, 3, 7, 1000]),
        "use_dictionary": rng.random() < 0.6,
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "version": rng.choice(["2.6", "2.6", "2.4"]),
        "store_schema": rng.random() < 0.7,
        "write_statistics": rng.random() < 0.8,
        "use_deprecated_int96_timestamps": naive_utc and zoneless and rng.random() < 0.2,
        "store_decimal_as_integer": rng.random() < 0.3,
    }
    pq.write_table(table, path, **options)


def settled(column, values):
    """The values in the type that the column has in every file."""
    return pa.array(values, pa.timestamp("us", tz="UTC") if column.kind == "timestamp" else column.arrow())


def write_delta(root, columns, partitions, files, rng):
    """Writes the log of a Delta table over existing files, and two files that are not part of its current version."""
    types = {"i64": "long", "f64": "double", "string": "string", "bool": "boolean", "date": "date", "timestamp": "timestamp"}
    fields = [{"name": c.name, "type": types.get(c.kind) or f"decimal(38,{c.scale})", "nullable": True, "metadata": {}} for c in columns + partitions]
    meta = {"id": "5e1f", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": [c.name for c in partitions], "configuration": {}, "createdTime": 0}
    folder = os.path.join(root, "_delta_log")
    os.makedirs(folder)
    stale = os.path.relpath(os.path.join(os.path.dirname(os.path.join(root, files[0].path)), "stale.parquet"), root)
    orphan = os.path.join(os.path.dirname(stale), "orphan.parquet")
    with open(os.path.join(root, files[0].path), "rb") as file:
        raw = file.read()
    for path in (stale, orphan):
        write_bytes(os.path.join(root, path), raw)

    def add(path, partition):
        spelled = {k: None if v is None else str(v) for k, v in partition.items()}
        size = os.path.getsize(os.path.join(root, path))
        return {"add": {"path": quote(path), "partitionValues": spelled, "size": size, "modificationTime": 0, "dataChange": True}}

    first = [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": meta}, add(stale, files[0].partition)]
    later = [{"remove": {"path": quote(stale), "dataChange": True, "deletionTimestamp": 0}}]
    for file in files:
        (first if rng.random() < 0.5 else later).append(add(file.path, file.partition))
    for version, actions in enumerate((first, later)):
        with open(os.path.join(folder, f"{version:020}.json"), "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(action) + "\n" for action in actions))


class TextForm:
    """How the text files of a source write their values."""

    def __init__(self, rng, world, kind, columns):
        self.kind = kind
        csv = kind == "csv"
        self.delimiter = rng.choice([",", ",", ";", "\t", "|"]) if csv else ","
        self.quote = rng.choice(['"', '"', "'"]) if csv else '"'
        self.decimal = rng.choice([".", ".", ","]) if csv else "."
        self.thousands = rng.choice([None, None, "'" if self.quote != "'" else " ", "." if self.decimal == "," else ","]) if csv else None
        self.nulls = rng.choice([None, ["NULL", ""], ["", "n/a", "\\N"]]) if csv else None
        self.encoding = rng.choice(["utf-8", "utf-8", "latin1"]) if csv else "utf-8"
        self.header = not (csv and rng.random() < 0.1)
        self.skip_lines = rng.choice([0, 0, 0, 2]) if csv else 0
        self.dates = {c.name: rng.choice([None, None, "%d.%m.%Y", "%Y%m%d", "%m/%d/%Y"]) for c in columns if c.kind == "date"}
        self.times = {c.name: rng.choice([None, None, "epoch_ms", "epoch_s", "offset", "utc", "%d.%m.%Y %H:%M:%S"])
                      for c in columns if c.kind == "timestamp"}
        self.world = world

    def encodable(self, rows):
        return all(v.encode(self.encoding, "ignore").decode(self.encoding) == v for row in rows for v in row.values() if isinstance(v, str))

    def settings(self, names):
        """The lines of [sources.NAME.text]; empty where all settings are defaults. `names` are the columns of a file without a header."""
        lines = []
        if self.delimiter != ",":
            lines.append(f"delimiter = {json.dumps(self.delimiter)}")
        if self.quote != '"':
            lines.append(f"quote = {json.dumps(self.quote)}")
        if self.decimal != ".":
            lines.append(f"decimal = {json.dumps(self.decimal)}")
        if self.thousands:
            lines.append(f"thousands = {json.dumps(self.thousands)}")
        if self.nulls:
            lines.append(f"nulls = {json.dumps(self.nulls)}")
        if self.encoding != "utf-8":
            lines.append(f'encoding = "{self.encoding}"')
        if not self.header:
            lines.append(f"header = {json.dumps(names)}")
        if self.skip_lines:
            lines.append(f"skip_lines = {self.skip_lines}")
        return lines

    def contract(self, column):
        """The column's type in the contract, with the format of its text."""
        if column.kind == "date" and self.dates[column.name]:
            return f'{{ type = "date", format = "{self.dates[column.name]}" }}'
        form = self.times.get(column.name)
        if column.kind == "timestamp" and form:
            if form.startswith("epoch_"):
                return f'{{ type = "timestamp", epoch = "{form[6:]}" }}'
            if "%" in form:
                return f'{{ type = "timestamp", format = "{form}" }}'
        return json.dumps(column.contract())

    def spell(self, column, value, rng):
        """A value as text; None stays None."""
        if value is None or isinstance(value, str):
            return value
        if column.kind == "bool":
            return "true" if value else "false"
        if column.kind == "date":
            return value.strftime(self.dates[column.name] or "%Y-%m-%d")
        if column.kind == "timestamp":
            return self.spell_time(self.times[column.name], value)
        text = format(value, "f") if column.kind == "decimal" else repr(value)
        if self.kind != "csv":
            return text
        return self.grouped(text, rng)

    def grouped(self, text, rng):
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        whole, _, fraction = digits.partition(".")
        if self.thousands and whole.isdigit() and rng.random() < 0.7:
            whole = f"{int(whole):,}".replace(",", self.thousands)
        return sign + whole + (self.decimal + fraction if fraction else "")

    def spell_time(self, form, instant):
        if form in ("epoch_ms", "epoch_s"):
            seconds = int(instant.replace(tzinfo=timezone.utc).timestamp())
            return str(seconds * 1000 if form == "epoch_ms" else seconds)
        if form == "utc":
            return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        if form == "offset":
            return instant.replace(tzinfo=timezone.utc).astimezone(ZoneInfo("Asia/Kolkata")).isoformat()
        return wall(instant, self.world.naive).strftime(form or "%Y-%m-%d %H:%M:%S")

    def field(self, text, rng):
        """One field of a delimited line."""
        if text is None:
            return rng.choice(self.nulls) if self.nulls else ""
        special = any(c in text for c in (self.delimiter, self.quote, "\n", "\r")) or text != text.strip() or text == ""
        if special or (self.nulls and text in self.nulls) or rng.random() < 0.1:
            return self.quote + text.replace(self.quote, self.quote * 2) + self.quote
        return text


def write_csv(path, form, columns, rows, rng):
    ends = rng.choice(["\n", "\n", "\r\n"])
    lines = ["# made by a program" for _ in range(form.skip_lines)]
    if form.header:
        lines.append(form.delimiter.join(form.field(c.name, rng) for c in columns))
    for row in rows:
        fields = [row["_text"].get(c.name, form.spell(c, row[c.name], rng)) for c in columns]
        lines.append(form.delimiter.join(form.field(field, rng) for field in fields))
    text = ends.join(lines) + (ends if lines and rng.random() < 0.9 else "")
    raw = text.encode(form.encoding)
    if form.encoding == "utf-8" and rng.random() < 0.2:
        raw = b"\xef\xbb\xbf" + raw
    write_bytes(path, raw)


def json_value(form, column, value, rng):
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    text = form.spell(column, value, rng)
    return int(text) if form.times.get(column.name, "") in ("epoch_ms", "epoch_s") else text


def write_ndjson(path, form, columns, rows, rng):
    lines = []
    for row in rows:
        members = []
        for column in columns:
            value = row["_text"].get(column.name, row[column.name])
            if value is None and rng.random() < 0.5:
                continue
            if column.kind == "decimal" and value is not None and column.name not in row["_text"]:
                text = format(value, "f")
            else:
                text = json.dumps(json_value(form, column, value, rng) if column.name not in row["_text"] else value,
                                  ensure_ascii=rng.random() < 0.5)
            members.append(f"{json.dumps(column.name)}: {text}")
        rng.shuffle(members)
        lines.append("{" + ", ".join(members) + "}")
    write_bytes(path, "".join(line + rng.choice(["\n", "\n", "\r\n"]) for line in lines).encode())


def write_bytes(path, raw):
    if path.endswith(".gz"):
        raw = gzip.compress(raw)
    elif path.endswith(".bz2"):
        raw = bz2.compress(raw)
    elif path.endswith(".zst"):
        raw = pa.compress(raw, codec="zstd", asbytes=True)
    with open(path, "wb") as file:
        file.write(raw)


SILENT = [("_SUCCESS", b""), (".part-0.crc", b"crc\x00"), ("_committed_12", b"{}"), (".DS_Store", b"\x00\x01"), ("_temporary/0/x.parquet", b"cut"),
          ("part-9.parquet.crc", b"crc\x00")]
NAMED = [("README.md", b"# notes\n"), ("orders.xlsx", b"PK\x03\x04"), ("notes.txt", b"hello\n"), ("old.parquet.bak", b"PAR1")]


def write_beside(folder, rng):
    """Writes files that are not data; returns the extensions of those that must be named as not read."""
    named = []
    for name, raw in rng.sample(SILENT, rng.randint(0, 3)) + rng.sample(NAMED, rng.choice([0, 0, 1])):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(raw)
        if (name, raw) in NAMED:
            named.append(name.rsplit(".", 1)[1])
    return named
