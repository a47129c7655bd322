"""Every number of a report compared with the result of its SQL, run by DuckDB over the files of the store.

Usage: report_sql.py STORE REPORT LEAST      (needs Python 3.11 and duckdb)

The page is parsed as a browser would: a number is a `data` element, its query is that of the nearest element with the class `q`
around it, its row is identified by the `data-k` of the elements between the two, and its column by `data-c`. The result of the query
must equal the number in `value`, within a relative difference of 1e-9 (sums may be added in another order), and the report must have
at least LEAST numbers.
"""

import math
import sys
from html.parser import HTMLParser

import duckdb

VOID = {"meta", "br", "img", "input"}


class Block:
    """An element with a query."""

    def __init__(self, by):
        self.by = [column for column in by.split(",") if column]
        self.sql = None
        self.numbers = []  # column, key values, number


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []  # tag, block it begins, key, is the SQL of its block
        self.blocks = []
        self.in_sql = False
        self.outside = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        block = None
        if "q" in attributes.get("class", "").split():
            block = Block(attributes.get("data-by", ""))
            self.blocks.append(block)
        key = attributes.get("data-k")
        if tag == "data" and "data-c" in attributes:
            self.number(attributes, key)
        in_details = any(entry[3] for entry in self.open)
        is_sql = tag == "details" and "sql" in attributes.get("class", "").split()
        if tag == "pre" and in_details:
            self.nearest().sql = ""
            self.in_sql = True
        if tag not in VOID:
            self.open.append((tag, block, key, is_sql))

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        opened = self.open.pop()
        assert opened[0] == tag, f"</{tag}> closes <{opened[0]}>"
        if tag == "pre":
            self.in_sql = False

    def handle_data(self, data):
        if self.in_sql:
            self.nearest().sql += data

    def nearest(self):
        return next((entry[1] for entry in reversed(self.open) if entry[1]), None)

    def number(self, attributes, own_key):
        block, keys = self.nearest(), [] if own_key is None else [own_key]
        for entry in reversed(self.open):
            if entry[1]:
                break
            if entry[2] is not None:
                keys.insert(0, entry[2])
        if block is None:
            self.outside.append(attributes)
        else:
            block.numbers.append((attributes["data-c"], tuple(keys), attributes["value"]))


def main(store, report, least):
    page = Page()
    page.feed(open(report, encoding="utf-8").read())
    assert not page.outside, f"numbers outside of any query: {page.outside[:5]}"
    connection = duckdb.connect()
    connection.execute(f"set file_search_path = '{store}'")
    connection.execute("set threads = 2")
    results, compared, wrong = {}, 0, []
    for block in page.blocks:
        if not block.numbers:
            continue
        assert block.sql, f"no SQL for {block.numbers[:3]}"
        if (block.sql, tuple(block.by)) not in results:
            try:
                found = connection.execute(block.sql)
            except duckdb.Error as error:
                wrong.append(f"{error}\n{block.sql}")
                continue
            columns = [column[0] for column in found.description]
            rows = {}
            for row in found.fetchall():
                row = dict(zip(columns, row))
                rows[tuple(str(row[column]) for column in block.by)] = row
            results[block.sql, tuple(block.by)] = rows
        rows = results[block.sql, tuple(block.by)]
        for column, keys, shown in block.numbers:
            row = rows.get(keys)
            if row is None:
                wrong.append(f"no row {keys} by {block.by} for {shown} of\n{block.sql}")
                continue
            given = row[column]
            compared += 1
            if given is None or not math.isclose(float(given), float(shown), rel_tol=1e-9, abs_tol=1e-12):
                wrong.append(f"{column} of {keys}: {shown} on the page, {given} by\n{block.sql}")
    for line in wrong[:12]:
        print(line, file=sys.stderr)
    print(f"{compared} numbers of {len(page.blocks)} blocks by {len(results)} queries, {len(wrong)} wrong")
    assert not wrong
    assert compared >= int(least), f"only {compared} numbers"


main(*sys.argv[1:])
