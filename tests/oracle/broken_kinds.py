"""Common mistakes in a lake or a pipeline, each as a change to a small valid one.

A kind is a function that changes the `Bench` and returns a list of words of which the message must contain one; an empty list means
any message; None means that `check` need not find the mistake, since only reading all rows shows it.
"""

import gzip
import json
import os
import random
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = {}


def kind(function):
    KINDS[function.__name__] = function
    return function


class Bench:
    """A valid lake with its pipeline, whose parts a kind may change before they are written."""

    def __init__(self, seed, folder):
        self.rng, self.folder = random.Random(seed), folder
        rng = self.rng
        self.format = rng.choice(["parquet", "parquet", "csv", "ndjson"])
        self.files = [self.rows(rng.randint(1, 12), number) for number in range(rng.choice([1, 2, 3]))]
        self.columns = {"customer_id": "string", "t": "date", "amount": "f64", "items": "i64", "label": "string"}
        self.types = {"customer_id": pa.string(), "t": pa.date32(), "amount": pa.float64(), "items": pa.int64(), "label": pa.string()}
        self.source = {"kind": '"events"', "path": '"lake/orders"', "key": '"customer_id"', "time": '"t"'}
        self.contract = {"missing_key": '"quarantine"'}
        self.features = {"n": '{ from = "orders", agg = "count" }', "spend": '{ from = "orders", agg = "sum", of = "amount" }',
                         "last_label": '{ from = "orders", agg = "last", of = "label", window = "90d" }'}
        self.head = {"spec_version": "1", "name": '"broken"', "timezone": '"UTC"', "currency": '"EUR"', "store": '"store"'}
        self.tail, self.more, self.names = "", [], [f"part-{n}" for n in range(len(self.files))]
        self.after = []

    def rows(self, count, number):
        rng = self.rng
        return [{"customer_id": f"c{rng.randint(0, 5)}", "t": date(2026, 5, 1) - timedelta(days=rng.randint(0, 200)), "amount": rng.randint(0, 400) / 4,
                 "items": rng.randint(0, 9), "label": rng.choice(["web", "app", "shop"])} for _ in range(count)]

    def one_file(self):
        return self.rng.randrange(len(self.files))

    def path(self, number):
        return os.path.join(self.folder, "lake/orders", f"{self.names[number]}.{self.format}")

    def any_format(self, *formats):
        if self.format not in formats:
            self.format = self.rng.choice(formats)

    def write(self):
        os.makedirs(os.path.join(self.folder, "lake/orders"), exist_ok=True)
        for number, rows in enumerate(self.files):
            os.makedirs(os.path.dirname(self.path(number)), exist_ok=True)
            self.write_file(number, rows)
        for step in self.after:
            step()
        with open(os.path.join(self.folder, "pipeline.toml"), "w", encoding="utf-8") as file:
            file.write(self.pipeline())

    def write_file(self, number, rows):
        path = self.path(number)
        if self.format == "parquet":
            pq.write_table(pa.Table.from_pylist(rows, pa.schema(self.types)), path, row_group_size=self.rng.choice([1, 4, 100]))
        elif self.format == "csv":
            lines = [",".join(self.types)] + [",".join("" if row.get(c) is None else str(row[c]) for c in self.types) for row in rows]
            put(path, "\n".join(lines) + "\n")
        else:
            put(path, "".join(json.dumps(row, default=str) + "\n" for row in rows))

    def pipeline(self):
        lines = [f"{k} = {v}" for k, v in self.head.items()] + ["[customer]", 'key = "customer_id"', "[sources.orders]"]
        lines += [f"{k} = {v}" for k, v in self.source.items()] + ["[sources.orders.contract]"]
        columns = ", ".join(f'{json.dumps(c)} = {t if t.startswith("{") else json.dumps(t)}' for c, t in self.columns.items())
        lines += [f"columns = {{ {columns} }}"] + [f"{k} = {v}" for k, v in self.contract.items()] + ["[features]"]
        return "\n".join(lines + [f"{k} = {v}" for k, v in self.features.items()] + [self.tail]) + "\n"


def put(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


@kind
def good(bench):
    return None


@kind
def column_missing_everywhere(bench):
    name = bench.rng.choice(["discount", "Amount", "customer_ID", "amonut"])
    bench.columns[name] = bench.rng.choice(["f64", "string", "date"])
    bench.features["x"] = f'{{ from = "orders", agg = "count", of = "{name}" }}'
    return [name] if bench.format != "ndjson" else []


@kind
def required_column_missing_in_one_file(bench):
    bench.any_format("parquet", "csv")
    bench.files = [bench.rows(3, 0), bench.rows(3, 1)]
    bench.names = ["part-0", "part-1"]
    bench.columns["items"] = '{ type = "i64", required = true }'
    def step():
        kept = dict(bench.types)
        del bench.types["items"]
        bench.write_file(1, [{c: v for c, v in row.items() if c != "items"} for row in bench.files[1]])
        bench.types = kept
    bench.after.append(step)
    return ["items"]


@kind
def text_where_a_number_is_declared(bench):
    bench.any_format("parquet")
    name = bench.rng.choice(["amount", "items", "t"])
    for rows in bench.files:
        for row in rows:
            row[name] = "abc"
    bench.types[name] = pa.string()
    return [name]


@kind
def numbers_where_a_date_is_declared(bench):
    bench.any_format("parquet")
    bench.types["t"] = pa.int64()
    for rows in bench.files:
        for row in rows:
            row["t"] = 20260501
    return ["t"]


@kind
def types_disagree(bench):
    bench.any_format("parquet")
    bench.files, bench.names = [bench.rows(3, 0), bench.rows(3, 1)], ["part-0", "part-1"]
    name = bench.rng.choice(["amount", "items", "t"])
    wrong = (pa.string(), "x") if name != "t" else (pa.int64(), 5)
    def step():
        kept = dict(bench.types)
        bench.types[name] = wrong[0]
        bench.write_file(1, [row | {name: wrong[1]} for row in bench.files[1]])
        bench.types = kept
    bench.after.append(step)
    return [name]


@kind
def file_missing(bench):
    bench.source["path"] = f'"lake/orders/no-such.{bench.format}"'
    return ["no-such"]


@kind
def folder_missing(bench):
    bench.source["path"] = '"lake/ordres"'
    return ["lake/ordres"]


@kind
def folder_empty(bench):
    bench.after.append(lambda: [os.remove(bench.path(n)) for n in range(len(bench.files))])
    return ["lake/orders"]


@kind
def glob_without_a_match(bench):
    bench.source["path"] = f'"lake/orders/2027-*.{bench.format}"'
    return ["2027-*"]


@kind
def only_hidden_files(bench):
    def step():
        for n in range(len(bench.files)):
            os.rename(bench.path(n), os.path.join(os.path.dirname(bench.path(n)), "." + os.path.basename(bench.path(n))))
    bench.after.append(step)
    return ["lake/orders"]


def damaged(bench, change):
    number = bench.one_file()
    def step():
        with open(bench.path(number), "rb") as file:
            raw = file.read()
        put(bench.path(number), change(raw))
    bench.after.append(step)
    return [f"part-{number}"]


@kind
def parquet_truncated(bench):
    bench.any_format("parquet")
    share = bench.rng.random()
    return damaged(bench, lambda raw: raw[:max(1, int(len(raw) * share))])


@kind
def parquet_without_a_byte(bench):
    bench.any_format("parquet")
    return damaged(bench, lambda raw: b"")


@kind
def parquet_that_is_none(bench):
    bench.any_format("parquet")
    content = bench.rng.choice([b"customer_id,t,amount\na,2026-01-01,1\n", b"\x1f\x8b\x08junk", b"<html>404</html>", os.urandom(0) + b"x" * 500])
    return damaged(bench, lambda raw: content)


@kind
def csv_that_is_parquet(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: b"PAR1\x15\x04\x15\x10\x00\xff\xfePAR1")


@kind
def csv_cut(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: raw + b"c1,2026-0")


@kind
def csv_line_too_long(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: raw + b"c1,2026-01-01,1,2,web,more,and more\n")


@kind
def csv_quote_open(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: raw + b'c1,2026-01-01,1,2,"web\n' + b"c1,2026-01-01,1,2,app\n" * 3)


@kind
def csv_other_delimiter(bench):
    bench.any_format("csv")
    other = bench.rng.choice([b";", b"\t", b"|"])
    return damaged(bench, lambda raw: raw.replace(b",", other))


@kind
def csv_column_twice(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: raw.replace(b"items", b"amount", 1))


@kind
def csv_not_utf8(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: raw + "c1,2026-01-01,1,2,Köln\n".encode("latin-1"))


@kind
def csv_empty(bench):
    bench.any_format("csv")
    return damaged(bench, lambda raw: b"")


@kind
def csv_without_its_header(bench):
    bench.any_format("csv")
    bench.files, bench.names = bench.files[:1], bench.names[:1]
    damaged(bench, lambda raw: raw.split(b"\n", 1)[1])
    return ["customer_id"]


@kind
def gzip_damaged(bench):
    bench.any_format("csv", "ndjson")
    number = bench.one_file()
    cut = bench.rng.choice([15, 25])
    def step():
        with open(bench.path(number), "rb") as file:
            raw = gzip.compress(file.read() * 20)
        os.remove(bench.path(number))
        put(bench.path(number) + ".gz", raw[:-cut])
    bench.after.append(step)
    return [f"part-{number}"]


@kind
def zip_beside(bench):
    bench.any_format("csv", "ndjson")
    return damaged(bench, lambda raw: b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(range(60)))


@kind
def json_line_broken(bench):
    bench.any_format("ndjson")
    line = bench.rng.choice([b'{"customer_id": "c1", "t":\n', b"nonsense\n", b'{"customer_id": "c1"} {"x": 1}\n', b"[1, 2]\n", b'{"a": 1,}\n'])
    return damaged(bench, lambda raw: raw + line)


@kind
def json_as_an_array(bench):
    bench.any_format("ndjson")
    return damaged(bench, lambda raw: b"[" + b",".join(raw.strip().split(b"\n")) + b"]")


@kind
def table_format(bench):
    name = bench.rng.choice(["metadata/v1.metadata.json", ".hoodie/hoodie.properties"])
    def step():
        path = os.path.join(bench.folder, "lake/orders", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        put(path, b'{"format-version": 2}')
    bench.after.append(step)
    bench.any_format("parquet")
    return ["Iceberg", "iceberg"] if name.startswith("metadata") else ["Hudi", "hudi"]


@kind
def delta_log_broken(bench):
    bench.any_format("parquet")
    def step():
        path = os.path.join(bench.folder, "lake/orders/_delta_log/00000000000000000000.json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        put(path, b'{"protocol": ')
    bench.after.append(step)
    return ["Delta", "delta"]


@kind
def parquet_column_twice(bench):
    bench.any_format("parquet")
    number = bench.one_file()
    def step():
        table = pq.read_table(bench.path(number))
        pq.write_table(table.append_column("amount", table["amount"]), bench.path(number))
    bench.after.append(step)
    return ["amount"]


@kind
def key_of_another_type(bench):
    bench.any_format("parquet")
    bench.types["customer_id"], value, declared = bench.rng.choice([(pa.bool_(), True, "bool"), (pa.date32(), date(2026, 1, 1), "date")])
    bench.columns["customer_id"] = declared
    for rows in bench.files:
        for row in rows:
            row["customer_id"] = value
    return ["customer_id"]


@kind
def key_with_a_fraction(bench):
    bench.any_format("parquet")
    bench.types["customer_id"], bench.columns["customer_id"] = pa.float64(), "f64"
    for rows in bench.files:
        for row in rows:
            row["customer_id"] = 1.5
    return None


@kind
def nested_column(bench):
    bench.any_format("parquet")
    bench.types["amount"] = pa.list_(pa.float64())
    for rows in bench.files:
        for row in rows:
            row["amount"] = [1.0]
    return ["amount"]


@kind
def time_is_text(bench):
    bench.any_format("parquet")
    bench.types["t"], bench.columns["t"] = pa.string(), "string"
    for rows in bench.files:
        for row in rows:
            row["t"] = str(row["t"])
    return ["`t`"]


@kind
def naive_time_without_a_zone(bench):
    bench.any_format("parquet")
    bench.types["t"], bench.columns["t"] = pa.timestamp("us"), "timestamp"
    for rows in bench.files:
        for row in rows:
            row["t"] = datetime(2026, 1, 1, 12)
    return ["time_zone"]


@kind
def key_column_unknown(bench):
    bench.source["key"] = '"customer"'
    return ["customer"]


@kind
def time_column_unknown(bench):
    bench.source["time"] = '"ordered"'
    return ["ordered"]


@kind
def known_at_unknown(bench):
    bench.source["known_at"] = '"loaded_at"'
    return ["loaded_at"]


@kind
def unique_over_an_unknown_column(bench):
    bench.contract["duplicates"] = '{ unique = ["order_no"] }'
    return ["order_no"]


@kind
def expression_over_an_unknown_column(bench):
    text, rng = "discount + 1 > 3", bench.rng
    where = rng.choice(["derive", "filter", "rule", "where", "of"])
    if where == "derive":
        bench.source["derive"] = '{ x = "discount + 1" }'
    elif where == "filter":
        bench.source["filter"] = f'"{text}"'
    elif where == "rule":
        bench.contract["rules"] = f'[{{ name = "r", check = "{text}" }}]'
    elif where == "where":
        bench.features["x"] = f'{{ from = "orders", agg = "count", where = "{text}" }}'
    else:
        bench.features["x"] = '{ from = "orders", agg = "sum", of = "discount * 2" }'
    return ["discount"]


@kind
def expression_that_is_none(bench):
    text = bench.rng.choice(["(amount > 3", "amount >", "amount > 3)", "amount == == 3", "case when amount > 3 then 1", "amount in (1, 2", "sum(amount) > 1",
                             "amount = 'abc'", "label > 5", "nosuch(amount) > 1", "amount = null", "t > '2026-02-30'", "label = 5 and"])
    place = bench.rng.choice(["filter", "rule", "where"])
    if place == "filter":
        bench.source["filter"] = json.dumps(text)
    elif place == "rule":
        bench.contract["rules"] = f'[{{ name = "r", check = {json.dumps(text)} }}]'
    else:
        bench.features["x"] = f'{{ from = "orders", agg = "count", where = {json.dumps(text)} }}'
    return ["error"]


@kind
def sum_of_text(bench):
    bench.features["x"] = f'{{ from = "orders", agg = "{bench.rng.choice(["sum", "mean", "std", "median"])}", of = "label" }}'
    return ["x", "label"]


@kind
def feature_of_an_unknown_source(bench):
    bench.features["x"] = '{ from = "order", agg = "count" }'
    return ["order"]


@kind
def feature_of_an_unknown_function(bench):
    bench.features["x"] = '{ from = "orders", agg = "average", of = "amount" }'
    return ["average"]


@kind
def settings_that_are_none(bench):
    section, key, value, word = bench.rng.choice([
        ("head", "timezone", '"Europe/Berln"', "Berln"), ("head", "currency", '"euro"', "euro"), ("head", "spec_version", "7", "spec_version"),
        ("head", "store", "5", "store"), ("head", "sotre", '"x"', "sotre"), ("source", "kind", '"event"', "event"), ("source", "format", '"xlsx"', "xlsx"),
        ("source", "pth", '"x"', "pth"), ("source", "time_zone", '"CEST+1"', "CEST+1"), ("source", "freshness", '{ warn = "2x" }', "2x"),
        ("contract", "missing_key", '"ignore"', "ignore"), ("contract", "duplicates", '"drop"', "drop"), ("contract", "rules", '[{ nme = "x", check = "true" }]', "nme"),
        ("features", "x", '{ from = "orders", agg = "count", window = "30 days" }', "30 days"), ("features", "x", '{ expr = "n + nothing" }', "nothing"),
        ("features", "use", '["rmf"]', "rmf"), ("source", "path", '"s3://bucket/orders"', "s3"), ("source", "path", '"${lake}/orders"', "lake")])
    getattr(bench, section)[key] = value
    return [word]


@kind
def toml_broken(bench):
    bench.tail = bench.rng.choice(["[schemes.x\n", 'x = "open\n', "[features]\n", "= 5\n", 'x = { from = "orders", agg = "count"\n'])
    return ["pipeline.toml"]


@kind
def text_settings_that_are_none(bench):
    bench.any_format("csv")
    text, word = bench.rng.choice([('delimiter = ";;"', "delimiter"), ('decimal = ","\nthousands = ","', "decimal"), ('encoding = "latin-99"', "latin-99"),
                                   ('qoute = "x"', "qoute"), ('decimal = "x"', "decimal")])
    bench.tail = f"[sources.orders.text]\n{text}\n"
    return [word]


@kind
def forms_that_are_none(bench):
    bench.any_format("csv")
    bench.columns["t"] = bench.rng.choice(['{ type = "date", format = "%Q" }', '{ type = "timestamp", epoch = "hours" }', '{ type = "dat" }', '{ type = "date", format = "%Y" }'])
    return ["columns", "`t`"]


@kind
def schemes_over_what_is_not_there(bench):
    text, word = bench.rng.choice([
        ('[schemes.s]\nkind = "rules"\nrules = [{ segment = "a", when = "spnd > 1" }]\notherwise = "b"\n', "spnd"),
        ('[schemes.s]\nkind = "quantile"\nby = "spnd"\ntiers = { a = 0.5, b = 1.0 }\n', "spnd"),
        ('[schemes.s]\nkind = "quantile"\nby = "last_label"\ntiers = { a = 0.5, b = 1.0 }\n', "last_label"),
        ('[schemes.s]\nkind = "rules"\nrules = [{ segment = "a", when = "spend > 1" }]\notherwise = "b"\n[playbooks.nobody]\nscheme = "s"\ntouch = "high"\n', "nobody"),
        ('[goal]\nobjective = "retention"\nkpi = "happiness"\n', "happiness"),
        ('[schemes.s]\nkind = "rules"\nrules = [{ segment = "a", when = "spend > 1" }]\notherwise = "b"\n[schemes.q]\nkind = "rules"\n'
         "rules = [{ segment = \"x\", when = \"s = 'aa'\" }]\notherwise = \"y\"\n", "aa"),
        ('[scores.c]\nkind = "clv"\nfrom = "subs"\nmodels = ["bg_nbd"]\nhorizon = "90d"\n', "subs")])
    bench.tail = text
    return [word]


@kind
def partition_in_some_paths_only(bench):
    bench.any_format("parquet")
    bench.files, bench.names = [bench.rows(3, 0), bench.rows(3, 1)], ["region=DE/part-0", "part-1"]
    bench.columns["region"] = "string"
    return []


@kind
def partition_of_another_type(bench):
    bench.any_format("parquet")
    bench.names = [f"yr=abc/part-{n}" for n in range(len(bench.files))]
    bench.columns["yr"] = "i64"
    return []


@kind
def partition_against_the_file(bench):
    bench.any_format("parquet")
    bench.names = [f"label=DE/part-{n}" for n in range(len(bench.files))]
    return []


@kind
def two_formats(bench):
    bench.any_format("parquet", "ndjson")
    bench.after.append(lambda: put(os.path.join(bench.folder, "lake/orders/more.csv"), "customer_id,t,amount,items,label\nz,2026-01-01,1,1,web\n"))
    return []


# Mistakes that only reading all rows shows: `check` may accept them.


@kind
def rule_that_fails(bench):
    bench.contract["rules"] = '[{ name = "never", check = "amount < 0", on_fail = "fail" }]'
    return None


@kind
def key_missing_and_fatal(bench):
    bench.files[bench.one_file()][0]["customer_id"] = None
    bench.contract["missing_key"] = '"fail"'
    return None


@kind
def repeated_row_and_fatal(bench):
    rows = bench.files[bench.one_file()]
    rows.append(dict(rows[0]))
    bench.contract["duplicates"] = '"fail"'
    return None


@kind
def too_old(bench):
    bench.source["freshness"] = '{ warn = "1d", fail = "2d" }'
    return None


@kind
def too_many_rejects(bench):
    bench.contract["rules"] = '[{ name = "never", check = "amount < 0" }]'
    bench.contract["max_rejected"] = bench.rng.choice(['"1%"', "0"])
    return None


@kind
def nobody_left(bench):
    bench.source["filter"] = '"amount < 0"'
    return None


@kind
def rows_after_the_day(bench):
    for rows in bench.files:
        for row in rows:
            row["t"] = date(2030, 1, 1)
    return None
