"""Values of generated lakes: logical columns, and the ways in which a Parquet file may store a value.

A value is a Python object of the column's logical type: int, Decimal, float, str, bool, date, or, for a timestamp, the instant in
UTC as a datetime without a zone. None is null.
"""

import random
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal, getcontext
from zoneinfo import ZoneInfo

import pyarrow as pa

getcontext().prec = 100  # the default of 28 digits would round what a lake holds
UTC = ZoneInfo("UTC")
INTEGERS = [(name, pa.type_for_alias(name), low, high) for name, low, high in (
    ("int8", -2**7, 2**7 - 1), ("int16", -2**15, 2**15 - 1), ("int32", -2**31, 2**31 - 1), ("int64", -2**63, 2**63 - 1),
    ("uint8", 0, 2**8 - 1), ("uint16", 0, 2**16 - 1), ("uint32", 0, 2**32 - 1), ("uint64", 0, 2**64 - 1))]
UTC_NAMES = ["UTC", "Etc/UTC", "+00:00", "Z", "GMT", "Etc/GMT", "Zulu"]
WORDS = ["web", "app", "store", "Köln", "注文", "a,b", 'say "x"', "semi;colon", "tab\there", "two\nlines", "O'Hara", "100%", "NA", " x ",
         "é", "null", "0", "-", "Ünïcode", "x" * 40]


def wall(instant, zone):
    """The local time of a zone at an instant."""
    return instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def told_apart(instant, zone):
    """Whether this local time occurs only once."""
    shown = wall(instant, zone)
    return shown.replace(tzinfo=zone, fold=0).utcoffset() == shown.replace(tzinfo=zone, fold=1).utcoffset()


class Column:
    """A logical column: its name, its type in the contract, and how its values are drawn."""

    def __init__(self, name, kind, rng, nulls=0.0, digits=18, scale=2, wide=False):
        self.name, self.kind, self.nulls = name, kind, nulls
        self.digits, self.scale, self.wide = max(digits, scale + 1), scale, wide
        self.words = rng.sample(WORDS, rng.randint(2, 8))
        self.negative = rng.random() < 0.5

    def contract(self):
        if self.kind == "u64":
            return "decimal(20, 0)"  # integers above those of i64 are decimals without fraction
        return f"decimal({self.digits}, {self.scale})" if self.kind == "decimal" else self.kind

    def arrow(self):
        """The Arrow type of the column in the oracle; times are local times."""
        if self.kind == "decimal":
            return pa.decimal128(38, self.scale)
        return {"i64": pa.int64(), "u64": pa.uint64(), "f64": pa.float64(), "string": pa.string(), "bool": pa.bool_(),
                "date": pa.date32(), "timestamp": pa.timestamp("us")}[self.kind]

    def draw(self, rng, world):
        if rng.random() < self.nulls:
            return None
        if self.kind == "string":
            return rng.choice(self.words)
        if self.kind == "bool":
            return rng.random() < 0.5
        if self.kind == "date":
            return world.as_of - timedelta(days=rng.randint(0, 900))
        if self.kind == "timestamp":
            return world.instant(rng, rng.randint(0, 900))
        return self.number(rng)

    def number(self, rng):
        sign = -1 if self.negative and rng.random() < 0.3 else 1
        if self.kind == "f64":
            return sign * rng.choice([rng.randint(0, 400) / 4, round(rng.uniform(0, 1000), 2), float(rng.randint(0, 50))])
        if self.kind == "decimal":
            digits = rng.randint(self.scale + 1, min(self.digits, 36) if self.wide else min(self.digits, self.scale + 5))
            return Decimal(sign * rng.randint(0, 10**digits - 1)).scaleb(-self.scale)
        if self.kind == "u64":
            return rng.choice([rng.randint(0, 100), rng.randint(2**63, 2**63 + 100) if self.wide else rng.randint(0, 2**40)])
        return sign * rng.choice([rng.randint(0, 100), rng.randint(0, 2**53 + 5) if self.wide else rng.randint(0, 30000)])


class World:
    """Values shared by all rows of a lake: the day, the zone of the pipeline, the zone of times without a zone."""

    def __init__(self, rng):
        self.as_of = date(2026, 5, 31) - timedelta(days=rng.randint(0, 600))
        self.zone_name = rng.choice(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Tokyo", "America/Santiago"])
        self.naive_name = rng.choice(["UTC", self.zone_name, "Europe/London", "America/Sao_Paulo"])
        self.zone, self.naive = ZoneInfo(self.zone_name), ZoneInfo(self.naive_name)

    def instant(self, rng, days_ago):
        """An instant that many local days before the pipeline's day (after it if negative), at a time that is unambiguous in every zone."""
        while True:
            clock = rng.choice([time(0), time(23, 59, 59), time(rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59))])
            local = datetime.combine(self.as_of - timedelta(days=days_ago), clock)
            instant = local.replace(tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)
            if wall(instant, self.zone) == local and all(told_apart(instant, zone) for zone in (self.zone, self.naive)):
                return instant


def key_maker(kind, rng):
    """Keys of a kind: as the lake stores them, and as they must be published."""
    if kind == "string":
        style = rng.choice(["c{}", "Küster-{}", "{:08}", "a b {}", "{}"])
        return [style.format(i) for i in range(40)]
    if kind == "uuid":
        return [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(40)]
    base = rng.choice([0, -5, 17850, 2**31, 2**53 - 20, 2**62])
    return [base + i for i in range(40)]


def fits(values, low, high):
    return all(v is None or low <= v <= high for v in values)


def nothing(values):
    return all(v is None for v in values)


def integer_types(values, kind):
    """Types that hold these integers without loss."""
    found = [t for _, t, low, high in INTEGERS if fits(values, low, high)]
    if kind == "i64" and fits(values, -2**53, 2**53):
        found.append(pa.float64())
    if kind == "i64" and fits(values, -2**24, 2**24):
        found.append(pa.float32())
    found += [pa.decimal128(38, 0), pa.decimal128(20, 0)]
    return found


def physical(column, values, rng, world):
    """An Arrow array that stores the values in one of the possible ways."""
    if nothing(values) and rng.random() < 0.5:
        return pa.nulls(len(values))
    kind = column.kind
    if kind in ("i64", "u64"):
        wanted = rng.choice(integer_types(values, kind)) if rng.random() < 0.7 else column.arrow()
        if pa.types.is_decimal(wanted):
            return pa.array([None if v is None else Decimal(v) for v in values], wanted)
        if pa.types.is_floating(wanted):
            return pa.array([None if v is None else float(v) for v in values], wanted)
        return pa.array(values, wanted)
    if kind == "f64":
        return floats(values, rng)
    if kind == "decimal":
        return decimals(column, values, rng)
    if kind in ("string", "uuid"):
        return texts(kind, values, rng)
    if kind == "date":
        return pa.array(values, rng.choice([pa.date32(), pa.date32(), pa.date64()]))
    if kind == "timestamp":
        return times(values, rng, world)
    return pa.array(values, pa.bool_())


def floats(values, rng):
    known = [v for v in values if v is not None]
    ways = [pa.float64(), pa.float64()]
    if all(v == int(v) for v in known):
        ways += [pa.int32(), pa.int64(), pa.int16()]
    if all(v * 4 == int(v * 4) for v in known):
        ways.append(pa.float32())
    wanted = rng.choice(ways)
    if pa.types.is_integer(wanted):
        return pa.array([None if v is None else int(v) for v in values], wanted)
    return pa.array(values, wanted)


def decimals(column, values, rng):
    known = [v for v in values if v is not None]
    digits = max([len(str(abs(int(v.scaleb(column.scale))))) for v in known] + [column.scale, 1])
    ways = [pa.decimal128(max(column.digits, digits), column.scale), pa.decimal128(digits, column.scale)]
    if digits <= 18:
        ways.append(pa.decimal64(18, column.scale))
    if digits <= 9:
        ways.append(pa.decimal32(9, column.scale))
    if all(v == int(v) for v in known) and fits(known, -2**31, 2**31 - 1):
        ways += [pa.int32(), pa.int64()]
    wanted = rng.choice(ways)
    if pa.types.is_integer(wanted):
        return pa.array([None if v is None else int(v) for v in values], wanted)
    return pa.array(values, wanted)


def texts(kind, values, rng):
    if kind == "uuid" and rng.random() < 0.6:
        raw = [None if v is None else uuid.UUID(v).bytes for v in values]
        fixed = pa.array(raw, pa.binary(16))
        return pa.ExtensionArray.from_storage(pa.uuid(), fixed)
    way = rng.choice(["string", "large", "view", "dictionary", "dictionary8", "binary", "large_binary"])
    if way.startswith("dictionary"):
        return pa.array(values, pa.string()).dictionary_encode().cast(
            pa.dictionary(pa.int8() if way == "dictionary8" else pa.int32(), pa.string()))
    if way.endswith("binary"):
        raw = [None if v is None else v.encode() for v in values]
        return pa.array(raw, pa.binary() if way == "binary" else pa.large_binary())
    return pa.array(values, {"string": pa.string(), "large": pa.large_string(), "view": pa.string_view()}[way])


def times(values, rng, world):
    zone = rng.choice([None, None, *UTC_NAMES, "Europe/Paris"])
    unit = rng.choice(["ms", "us", "ns", "us"])
    held = [None if v is None else wall(v, world.naive) if zone is None else v for v in values]
    made = pa.array(held, pa.timestamp(unit))
    return made if zone is None else pa.array(made.cast(pa.int64()), pa.timestamp(unit, tz=zone))
