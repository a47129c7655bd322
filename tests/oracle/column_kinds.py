"""Columns of Parquet files in the types that writers have: what a pipeline uses is read exactly or refused, what it does not use is nothing.

Usage: column_kinds.py TESSERA [--only NAME]

Each kind of column is written by pyarrow or DuckDB, or by a change to a footer, with and without the Arrow schema that pyarrow adds. A
pipeline that does not use the column is checked and run without an error. One that uses it publishes the values that were written,
or `check` and `run` end with exit code 2 and one message that names the column, the file and what it holds. The exit code is 1 if a
kind failed.
"""

import argparse
import base64
import datetime as dt
import os
import subprocess
import sys
import tempfile
import uuid
from decimal import Decimal

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from broken_lakes import JARGON
from compact import LIST, STRUCT, Struct, change_footer

IDS = ["a", "b", "c", "d"]
DAY = dt.date(2026, 11, 1)
PIPELINE = """spec_version = 1
name = "kinds"
timezone = "UTC"
currency = "EUR"
store = "store"
[customer]
key = "id"
[sources.o]
kind = "events"
path = "lake"
key = "id"
time = "day"
time_zone = "UTC"
[sources.o.contract]
columns = {{ id = "string", day = "date"{declared} }}
missing_key = "fail"
[features]
n = {{ from = "o", agg = "count" }}
{feature}
[schemes.s]
kind = "rules"
rules = [{{ segment = "m", when = "n > 2" }}]
otherwise = "f"
"""
USED = 'f = { from = "o", agg = "last", of = "x" }'
REFUSED = object()


class Named(pa.ExtensionType):
    """A type that a program defines."""

    def __init__(self, storage):
        super().__init__(storage, "my.type")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, _):
        return cls(storage)


def named(storage, values):
    return pa.ExtensionArray.from_storage(Named(storage), pa.array(values, storage))


def extension(ty, values):
    return pa.ExtensionArray.from_storage(ty, pa.array(values, ty.storage_type))


UUIDS = [uuid.UUID(int=(n + 1) << 64 | 0xABC) for n in range(4)]
UUID_TEXTS = [str(of) for of in UUIDS]
UUID_ARRAY = pa.array([of.bytes for of in UUIDS], pa.uuid())
JSONS = ['{"a": 1}', "[]", "null", '{"é": "ü"}']
TIMES = [dt.datetime(2026, 10, day + 1, 10, 30, 5) for day in range(4)]
NUMBERS = [1, 2, -3, 4]
MONEY = [Decimal("1.25"), Decimal("-2.50"), Decimal("0.00"), Decimal("99.99")]
FLOATS = [float(value) for value in MONEY]
TEXTS = ["x", "", "y z", "ü"]
POINT = pa.struct([("x", pa.float64())])


def nested(inner):
    """The array as the only field of a structure, as items of lists, and as values of maps."""
    offsets = pa.array(range(len(inner) + 1), pa.int32())
    return {
        "structure": pa.StructArray.from_arrays([inner], ["h"]),
        "list": pa.ListArray.from_arrays(offsets, inner),
        "map": pa.MapArray.from_arrays(offsets, pa.array(IDS), inner),
    }


# Name: the column, the declaration, the values that are published or the word for what is refused.
ARROW = {
    "uuid": (UUID_ARRAY, "string", UUID_TEXTS),
    "uuid, undeclared": (UUID_ARRAY, None, UUID_TEXTS),
    "json": (extension(pa.json_(pa.string()), JSONS), "string", JSONS),
    "json of views, undeclared": (extension(pa.json_(pa.string_view()), JSONS), None, JSONS),
    "bool8": (extension(pa.bool8(), [1, 0, None, 1]), "i8", [1, 0, None, 1]),
    "opaque": (extension(pa.opaque(pa.string(), "t", "v"), TEXTS), "string", TEXTS),
    "named integers": (named(pa.int64(), NUMBERS), "i64", NUMBERS),
    "named times": (named(pa.timestamp("us"), TIMES), "timestamp", TIMES),
    "named structures": (named(POINT, [{"x": 1.0}] * 4), "string", "structures"),
    "large texts": (pa.array(TEXTS, pa.large_string()), "string", TEXTS),
    "views of texts": (pa.array(TEXTS, pa.string_view()), "string", TEXTS),
    "views of bytes": (pa.array([t.encode() for t in TEXTS], pa.binary_view()), "string", TEXTS),
    "texts in a dictionary": (pa.array(TEXTS).dictionary_encode(), "string", TEXTS),
    "integers in a dictionary": (pa.array(NUMBERS, pa.int16()).dictionary_encode(), "i64", NUMBERS),
    "decimals": (pa.array(MONEY, pa.decimal128(9, 2)), "f64", FLOATS),
    "decimals of 32 bits": (pa.array(MONEY, pa.decimal32(9, 2)), "f64", FLOATS),
    "decimals of 64 bits": (pa.array(MONEY, pa.decimal64(18, 2)), "f64", FLOATS),
    "decimals of 256 bits": (pa.array(MONEY, pa.decimal256(60, 2)), "f64", "decimals of more than 38 digits"),
    "seconds": (pa.array(TIMES, pa.timestamp("s")), "timestamp", TIMES),
    "seconds in a zone": (pa.array(TIMES, pa.timestamp("s", "UTC")), "timestamp", TIMES),
    "milliseconds in a zone": (pa.array(TIMES, pa.timestamp("ms", "Europe/Berlin")), "timestamp", TIMES),
    "nanoseconds": (pa.array(TIMES, pa.timestamp("ns")), "timestamp", TIMES),
    "days in milliseconds": (pa.array([DAY] * 4, pa.date64()), "date", [DAY] * 4),
    "nothing": (pa.nulls(4), "string", [None] * 4),
    "floats of 16 bits": (pa.array([1, 2, 3, 4], pa.float16()), "f64", "floats of 16 bits"),
    "times of day": (pa.array([dt.time(1)] * 4, pa.time64("us")), "string", "times of day"),
    "durations": (pa.array(NUMBERS, pa.duration("us")), "i64", "durations"),
    "five bytes": (pa.array([b"12345"] * 4, pa.binary(5)), "string", "bytes of fixed size 5"),
    "large lists": (pa.array([[1]] * 4, pa.large_list(pa.int8())), "string", "lists"),
    "lists of two": (pa.array([[1, 2]] * 4, pa.list_(pa.int8(), 2)), "string", "lists"),
    "structures of nothing": (pa.array([{"a": None}] * 4, pa.struct([("a", pa.null())])), "string", "structures"),
}
for shape, words in (("structure", "structures"), ("list", "lists"), ("map", "maps")):
    for inner, array in (("uuid", UUID_ARRAY), ("json", ARROW["json"][0]), ("floats of 16 bits", ARROW["floats of 16 bits"][0])):
        ARROW[f"{shape} of {inner}"] = (nested(array)[shape], "string", words)

# Without the Arrow schema nothing says what these are.
STATED_BY_ARROW = ("named times", "days in milliseconds", "durations")

DUCKDB = {
    "JSON": ("(['{}','[1]','{\"a\":2}','null'])[i + 1]::json", "string", ["{}", "[1]", '{"a":2}', "null"]),
    "JSON, undeclared": ("'{}'::json", None, ["{}"] * 4),
    "UUID": ("('00000000-0000-0000-0000-00000000000'||i)::uuid", "string", [f"00000000-0000-0000-0000-00000000000{i}" for i in range(4)]),
    "ENUM": ("(['a','b'])[i % 2 + 1]::enum('a','b')", "string", ["a", "b", "a", "b"]),
    "BLOB": ("'abc'::blob", "string", ["abc"] * 4),
    "INTERVAL": ("interval 1 day", "string", "intervals of time"),
    "INTERVAL in a list": ("[interval 1 day]", "string", "lists"),
    "INTERVAL in a map": ("map{'a': interval 1 day}", "string", "maps"),
    "VARIANT": ("i::variant", "string", "values of the type VARIANT"),
    "HUGEINT": ("i::hugeint", "f64", [0.0, 1.0, 2.0, 3.0]),
    "TIME": ("time '10:00:00'", "string", "times of day"),
    "TIMETZ": ("'10:00:00+01'::timetz", "string", "times of day"),
    "UNION": ("union_value(k := 1)", "string", "structures"),
    "JSON in a list": ("['{}'::json]", "string", "lists"),
}

# Fields of a schema's element: converted type, logical type.
CONVERTED, LOGICAL = 6, 10


def annotated(converted=None, logical=None):
    """A change that gives the column `x` these annotations and no others."""

    def change(footer):
        element = next(of for of in footer.list(2) if of.get(4) == b"x")
        element.drop(CONVERTED)
        element.drop(LOGICAL)
        if converted is not None:
            element.put_i32(CONVERTED, converted)
        if logical is not None:
            element.put_union(LOGICAL, logical)

    return change


def arrow_schema(value):
    """A change of the Arrow schema that the file states."""

    def change(footer):
        for pair in footer.list(5):
            if pair.get(1) == b"ARROW:schema":
                pair.put_bytes(2, value)

    return change


def unknown_order(footer):
    """States orders of statistics that no reader knows."""
    footer.put(7, LIST, (STRUCT, [Struct([(9, STRUCT, Struct())]) for _ in range(3)]))


def schema_of(*columns):
    return base64.b64encode(pa.schema(columns).serialize().to_pybytes())


TEXT_ARRAY = pa.array(TEXTS)
BYTE_ARRAY = pa.array([t.encode() for t in TEXTS], pa.binary())
TIME_ARRAY = pa.array(TIMES, pa.timestamp("us"))
# Name: the column, the change to the footer, the declaration, what is expected.
CHANGED = {
    "converted ENUM": (TEXT_ARRAY, annotated(converted=4), "string", TEXTS),
    "logical ENUM": (TEXT_ARRAY, annotated(logical=4), None, TEXTS),
    "converted JSON": (TEXT_ARRAY, annotated(converted=19), None, TEXTS),
    "logical JSON": (TEXT_ARRAY, annotated(logical=12), "string", TEXTS),
    "converted BSON": (BYTE_ARRAY, annotated(converted=20), "string", "documents in BSON"),
    "logical BSON": (BYTE_ARRAY, annotated(logical=13), "string", "documents in BSON"),
    "logical GEOMETRY": (BYTE_ARRAY, annotated(logical=17), "string", "geometries"),
    "logical GEOGRAPHY": (BYTE_ARRAY, annotated(logical=18), "string", "geometries"),
    "times by a converted type": (TIME_ARRAY, annotated(converted=10), "timestamp", TIMES),
    "integers by a converted type": (pa.array(NUMBERS, pa.int16()), annotated(converted=16), "i16", NUMBERS),
    "an unknown type of texts": (TEXT_ARRAY, annotated(logical=99), "string", "a type that this version does not know"),
    "an unknown type of integers": (pa.array(NUMBERS), annotated(logical=99), "i64", "a type that this version does not know"),
    "an unknown type of 16 bytes": (pa.array([u.bytes for u in UUIDS], pa.binary(16)), annotated(logical=99), "string", "a type that this version does not know"),
    "an unknown type of a list": (pa.array([[1]] * 4), annotated(logical=99), "string", "a type that this version does not know"),
    "an unknown order of statistics": (TEXT_ARRAY, unknown_order, "string", TEXTS),
    "nothing, as integers": (pa.array([None] * 4, pa.int32()), annotated(logical=11), "string", [None] * 4),
    "an Arrow schema of fewer columns": (TEXT_ARRAY, arrow_schema(schema_of(("id", pa.string()))), "string", TEXTS),
    "an Arrow schema of other names": (TEXT_ARRAY, arrow_schema(schema_of(("a", pa.string()), ("b", pa.date32()), ("c", pa.string()))), "string", TEXTS),
    "an Arrow schema that is none": (TEXT_ARRAY, arrow_schema(b"AAAA"), "string", TEXTS),
}


def table(x):
    return pa.table({"id": pa.array(IDS), "day": pa.array([DAY] * 4), "x": x})


def call(tessera, folder, command):
    arguments = [tessera, command, "p.toml", "--quiet"]
    if command == "run":
        arguments += ["--as-of", "2026-11-20", "--work", folder]
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=120)


def attempt(tessera, write, declared, expected):
    """What is wrong with how a column is treated; `expected` is None for one that is not used."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/lake")
        write(f"{folder}/lake")
        used = expected is not None
        with open(f"{folder}/p.toml", "w", encoding="utf-8") as file:
            stated = f', x = "{declared}"' if used and declared else ""
            file.write(PIPELINE.format(declared=stated, feature=USED if used else ""))
        check, run = call(tessera, folder, "check"), call(tessera, folder, "run")
        ended = (check.returncode, run.returncode)
        said = run.stderr.strip()
        if isinstance(expected, str):
            if ended != (2, 2):
                return f"ended with {ended}, not refused: {said}"
            missing = [word for word in ("`x`", ".parquet", expected) if word not in check.stderr or word not in said]
            if missing or JARGON.search(said):
                return f"the message lacks {missing} or has jargon: {said}"
            return None
        if ended != (0, 0):
            return f"ended with {ended}: {said}"
        columns = "id, n, f" if used else "id, n"
        rows = duckdb.sql(f"select {columns} from '{folder}/store/latest/customers.parquet' order by id").fetchall()
        counted = len(os.listdir(f"{folder}/lake"))
        wanted = [(name, counted, *([value] if used else [])) for name, value in zip(IDS, expected or IDS)]
        return None if rows == wanted else f"published {rows}, not {wanted}"


def writers():
    """Name, writer of a lake, declaration and expectation of each kind."""
    for name, (array, declared, expected) in ARROW.items():
        for store in (True, False):
            if name in STATED_BY_ARROW and not store:
                continue

            def write(folder, array=array, store=store):
                pq.write_table(table(array), f"{folder}/a.parquet", store_schema=store, sorting_columns=[pq.SortingColumn(1)])

            yield f"{name}, {'with' if store else 'without'} Arrow schema", write, declared, expected
    for name, (sql, declared, expected) in DUCKDB.items():

        def write(folder, sql=sql):
            duckdb.sql(f"copy (select chr((97 + i)::int) id, date '{DAY}' as day, {sql} x from range(4) r(i)) to '{folder}/a.parquet' (format parquet)")

        yield f"DuckDB {name}", write, declared, expected
    for name, (array, change, declared, expected) in CHANGED.items():

        def write(folder, array=array, change=change, name=name):
            pq.write_table(table(array), f"{folder}/a.parquet", store_schema="Arrow" in name)
            change_footer(f"{folder}/a.parquet", change)

        yield name, write, declared, expected
    for first, second in (("uuid", "large texts"), ("json", "texts in a dictionary"), ("bool8", "named integers"), ("nothing", "opaque")):
        arrays = [ARROW[first][0], ARROW[second][0]]

        def write(folder, arrays=arrays):
            for number, array in enumerate(arrays):
                pq.write_table(table(array), f"{folder}/{number}.parquet")

        yield f"{first}, then {second}", write, ARROW[second][1], ARROW[second][2]

    def twice(folder):
        arrays = [pa.array(IDS), pa.array([DAY] * 4), pa.array(NUMBERS), pa.array(NUMBERS)]
        pq.write_table(pa.Table.from_arrays(arrays, names=["id", "day", "x", "x"]), f"{folder}/a.parquet")

    def wide(folder):
        columns = {"id": IDS, "day": [DAY] * 4, "x": polars.Series([2**100, 1, -1, 0], dtype=polars.Int128)}
        polars.DataFrame(columns).write_parquet(f"{folder}/a.parquet")

    yield "integers of 128 bits", wide, "string", "a type that this version does not know"
    ends = [dt.datetime(9999, 12, 31), dt.datetime(2026, 10, 1, 1, 2, 3, 456789), dt.datetime(1900, 1, 1), None]
    for store in (True, False):

        def int96(folder, store=store):
            x = pa.array(ends, pa.timestamp("us"))
            pq.write_table(table(x), f"{folder}/a.parquet", use_deprecated_int96_timestamps=True, store_schema=store)

        yield f"INT96, {'with' if store else 'without'} Arrow schema", int96, "timestamp", ends
    yield "two columns of one name", twice, "i64", "several columns of this name"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tessera")
    parser.add_argument("--only")
    options = parser.parse_args()
    pa.register_extension_type(Named(pa.int64()))
    failed = tried = 0
    for name, write, declared, expected in writers():
        if options.only and options.only not in name:
            continue
        for use, wanted in (("not used", None), ("used", expected)):
            tried += 1
            problem = attempt(os.path.abspath(options.tessera), write, declared, wanted)
            if problem:
                failed += 1
                print(f"{name}, {use}: {problem}")
    print(f"{tried} lakes, {failed} failed")
    return failed > 0 or tried == 0


if __name__ == "__main__":
    sys.exit(main())
