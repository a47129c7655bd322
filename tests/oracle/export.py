"""Exported lists of playbooks, compared with DuckDB's reading of the published tables.

Usage: export.py TESSERA PIPELINE STORE FOLDER COLUMNS [--var NAME=VALUE ...]      (needs Python 3.11 and duckdb)

For every version of STORE and every playbook: the list in each format, and one with COLUMNS of `customers` (with commas between them),
must have the values of `actions` and `customers` in the order of the priority, every float to its bits, null told from empty text where the format allows.
CSV is read by Python's csv module and by DuckDB. Counts must be those of `segments` and `actions`. For every two versions the changes,
applied to the list of the one, must give the list of the other, and every reason must be true. Exit code 1 on any difference.
"""

import csv
import datetime
import decimal
import io
import json
import subprocess
import sys
import tomllib

import duckdb

TESSERA, PIPELINE, STORE, FOLDER, COLUMNS, *VARS = sys.argv[1:]
db = duckdb.connect()
seen = {"rows": 0, "changes": 0, "null": 0, "reasons": set(), "kinds": set()}


def expect(fact, *what):
    if not fact:
        sys.exit(" ".join(str(part) for part in what))


def tessera(*arguments):
    done = subprocess.run([TESSERA, *arguments], capture_output=True)
    expect(done.returncode == 0, arguments, done.stderr.decode())
    return done.stdout.decode()


def export(version, playbook, *more):
    return tessera("export", PIPELINE, *VARS, "--playbook", playbook, "--version", str(version), *more)


def counted(version, playbook, *more):
    return json.loads(export(version, playbook, "--json", "--out", f"{FOLDER}/counted", *more))


def rows(sql, *arguments):
    return db.execute(sql, arguments).fetchall()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Version:
    def __init__(self, listed, key):
        self.number, self.folder, self.day, self.key = listed["version"], listed["folder"], listed["as_of"], key
        self.actions, self.customers = self.columns("actions"), self.columns("customers")

    def table(self, name):
        return f"read_parquet('{self.folder}/{name}.parquet', hive_partitioning = false)"

    def columns(self, name):
        return [row[0] for row in rows(f"describe select * from {self.table(name)}")]

    def expected(self, playbook, columns):
        """The rows of a list by DuckDB alone."""
        own = [f"a.{quoted(name)}" if name in self.actions else f"c.{quoted(name)}" for name in columns]
        return rows(
            f"select {', '.join(own)} from {self.table('actions')} a join {self.table('customers')} c using ({quoted(self.key)})"
            " where a.playbook = ? order by a.priority, a." + quoted(self.key),
            playbook,
        )

    def types(self, columns):
        own = [f"a.{quoted(name)}" if name in self.actions else f"c.{quoted(name)}" for name in columns]
        sql = f"describe select {', '.join(own)} from {self.table('actions')} a join {self.table('customers')} c using ({quoted(self.key)})"
        return [row[1] for row in rows(sql)]


def shown(value):
    """A value as JSON and CSV hold it, without knowing how tessera formats floats."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value


def agrees(text, value):
    """Whether the text of a file states a value of a table."""
    if value is None:
        return text == ""
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, float):
        return float(text) == value and (float(text).hex() == value.hex())
    if isinstance(value, int):
        return text == str(value)
    return text == shown(value)


def check_csv(text, columns, wanted, types):
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    expect(lines[0] == columns, "header", lines[0])
    expect(len(lines) == len(wanted) + 1, "rows", len(lines) - 1, len(wanted))
    for line, row in zip(lines[1:], wanted):
        expect(len(line) == len(row) and all(map(agrees, line, row)), line, row)
        seen["null"] += row.count(None)
    if not wanted:
        return
    path = f"{FOLDER}/list.csv"
    with open(path, "w", newline="") as file:
        file.write(text)
    typed = ", ".join(f"'{name}': '{ty}'" for name, ty in zip(columns, types))
    found = rows(
        f"select * from read_csv('{path}', header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false,"
        f" parallel = false, columns = {{{typed}}})"
    )
    expect(found == wanted, "DuckDB reads another list", [pair for pair in zip(found, wanted) if pair[0] != pair[1]][:3])


def check_list(version, playbook, more, columns):
    wanted, types = version.expected(playbook, columns), version.types(columns)
    check_csv(export(version.number, playbook, "--format", "csv", *more), columns, wanted, types)
    # A text holds no line feed of its own: JSON escapes it.
    lines = export(version.number, playbook, "--format", "ndjson", *more).split("\n")
    expect(lines.pop() == "", "the last line ends")
    read = [json.loads(line, parse_float=lambda text: text) for line in lines]
    expect(len(read) == len(wanted), "NDJSON rows", len(read), len(wanted))
    for line, row in zip(read, wanted):
        expect(list(line) == columns, list(line))
        for name, value in zip(columns, row):
            if isinstance(value, (float, decimal.Decimal)):
                expect(type(value)(line[name]) == value, line, name, value)
            else:
                expect(line[name] == shown(value) and type(line[name]) is type(shown(value)), line, name, value)
    path = f"{FOLDER}/list.parquet"
    export(version.number, playbook, "--format", "parquet", "--out", path, *more)
    expect(rows(f"select * from '{path}'") == wanted, "Parquet")
    expect([row[:2] for row in rows(f"describe select * from '{path}'")] == list(zip(columns, types)), "types of Parquet")
    seen["rows"] += len(wanted)
    return wanted


def check_counts(version, playbook, scheme, segment, wanted):
    counts = counted(version.number, playbook)
    members = rows(f"select coalesce(sum(customers), 0) from {version.table('segments')} where scheme = ? and segment = ?", scheme, segment)[0][0]
    expect((counts["members"], counts["listed"], counts["left_out"]) == (members, len(wanted), members - len(wanted)), counts, members)
    expect((counts["scheme"], counts["segment"], counts["version"], counts["as_of"]) == (scheme, segment, version.number, version.day), counts)
    return counts


def why(version, key, scheme, segment):
    """Why a customer is not in the list, by the tables."""
    def has(table, where, *arguments):
        return bool(rows(f"select 1 from {version.table(table)} where {where} limit 1", *arguments))

    own = quoted(version.key)
    if has("memberships", f"{own} = ? and scheme = ? and segment = ?", key, scheme, segment):
        return "still"
    if has("memberships", f"{own} = ? and scheme = ?", key, scheme):
        return "left_segment"
    if has("customers", f"{own} = ?", key):
        return "closed"
    try:
        return "merged" if has("merged_keys", "merged_key = ?", key) else "not_in_base"
    except duckdb.IOException:
        return "not_in_base"


def whole(version, playbook, asked, place):
    _, *lines = csv.reader(io.StringIO(export(version.number, playbook, *asked), newline=""), strict=True)
    return {line[place]: line for line in lines}


def check_changes(before, now, playbook, scheme, segment, columns):
    asked = ["--columns", ",".join(columns)]
    place, day, rank = (columns.index(name) for name in (now.key, "as_of", "priority"))
    applied, wanted = whole(before, playbook, asked, place), whole(now, playbook, asked, place)
    text = export(now.number, playbook, "--since", str(before.number), *asked)
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    expect(header == ["change", "change_reason", *columns], header)
    kinds = [line[0] for line in lines]
    expect(kinds == sorted(kinds, key=lambda kind: kind != "removed"), "removed ones come first")
    for kind, reason, *line in lines:
        key = line[place]
        expect((key in applied) == (kind != "added"), kind, key)
        if kind == "removed":
            expect(applied.pop(key) == line, "last known columns", line)
            check_reason(now, key, scheme, segment, reason)
        else:
            expect(reason == "", reason)
            # A change that changes nothing but the day is none.
            differs = [at for at, (old, new) in enumerate(zip(applied.get(key, []), line)) if old != new and at != day]
            expect(kind == "added" or differs, "nothing differs", line)
            applied[key] = line
    for line in applied.values():
        line[day] = now.day
    result = sorted(applied.values(), key=lambda line: int(line[rank]))
    expect(result == list(wanted.values()), "applied changes give another list", before.number, now.number, playbook)
    summary = counted(now.number, playbook, "--since", str(before.number), *asked)["changes"]
    counts = {kind: kinds.count(kind) for kind in ("added", "removed", "updated")}
    expect({kind: summary[kind] for kind in counts} == counts, summary, counts)
    expect(summary["unchanged"] == len(wanted) - counts["added"] - counts["updated"], summary)
    expect(sum(summary["removed_because"].values()) == counts["removed"], summary)
    seen["changes"] += len(lines)
    seen["kinds"].update(kinds)


def check_reason(now, key, scheme, segment, reason):
    """A reason is true; of members who are not listed the tables count who may not be contacted for all segments together."""
    known = why(now, int(key) if columns_are_int(now) else key, scheme, segment)
    if known == "still":
        members = rows(f"select sum(customers) from {now.table('segments')} where scheme = ? and playbook is not null", scheme)[0][0]
        listed = rows(f"select count(*) from {now.table('actions')} where scheme = ?", scheme)[0][0]
        out = rows(f"select value from {now.table('models')} where score = ? and name = 'customers_not_reachable'", scheme)
        known = "not_reachable" if out == [(members - listed,)] else "not_listed"
    expect(reason == known, key, reason, known)
    seen["reasons"].add(reason)


def columns_are_int(version):
    return rows(f"select typeof({quoted(version.key)}) from {version.table('customers')} limit 1") == [("BIGINT",)]


def main():
    with open(PIPELINE, "rb") as file:
        pipeline = tomllib.load(file)
    key = pipeline["customer"]["key"]
    versions = [Version(listed, key) for listed in json.loads(tessera("snapshots", STORE, "--json"))]
    expect(len(versions) > 1, "one version only")
    for name, playbook in pipeline["playbooks"].items():
        scheme, segment = playbook["scheme"], playbook.get("segment", name)
        for version in versions:
            stated = playbook.get("export", {}).get("columns", version.actions)
            wanted = check_list(version, name, [], stated)
            check_counts(version, name, scheme, segment, wanted)
            further = [key, *COLUMNS.split(","), "reason"]
            check_list(version, name, ["--columns", ",".join(further)], further)
        for before, now in zip(versions, versions[1:]):
            check_changes(before, now, name, scheme, segment, now.actions)
            check_changes(now, before, name, scheme, segment, now.actions)
            check_changes(before, now, name, scheme, segment, ["priority", *COLUMNS.split(","), key, "as_of"])
        check_changes(versions[0], versions[-1], name, scheme, segment, versions[-1].actions)
    expect(min(seen["rows"], seen["changes"], seen["null"]) > 0 and seen["kinds"] == {"added", "removed", "updated"}, seen)
    print(json.dumps({**seen, "reasons": sorted(seen["reasons"]), "kinds": sorted(seen["kinds"])}))


main()
