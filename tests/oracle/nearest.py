"""The column `nearest_change` of `memberships`, computed again from the published tables: nearest.py STORE PIPELINE CUSTOMERS EXPLAINED.json

PIPELINE is the pipeline file, CUSTOMERS how many are compared. Every column that the rules read is tried with every constant in them and its neighbours, each time by
evaluating all rules in DuckDB over all customers; tiers by their lowest values in `models`, cells of a grid by the largest value of
each score among the customers and the cells that `segments` names. The first change in EXPLAINED.json, what `tessera explain --json`
says of customers, must be that of the column.
"""
import json
import math
import re
import sys
import tomllib

import duckdb

store, wanted = sys.argv[1], int(sys.argv[3])
with open(sys.argv[2], "rb") as file:
    declared = tomllib.load(file)["schemes"]
rules = {
    name: {"rules": [(rule["segment"], rule["when"]) for rule in scheme["rules"]], "otherwise": scheme["otherwise"]}
    for name, scheme in declared.items()
    if scheme["kind"] == "rules"
}
con = duckdb.connect()
at = f"{store}/latest"
for table in ("customers", "memberships", "models", "segments"):
    con.execute(f"create table {table} as from '{at}/{table}.parquet'")
columns = {name: kind for name, kind, *_ in con.execute("describe customers").fetchall()}
key = con.execute("describe memberships").fetchall()[1][0]
kinds = {"BIGINT", "DOUBLE"}
schemes = [name for (name,) in con.execute("select distinct scheme from memberships order by 1").fetchall()]


def spread(column, scheme):
    value = con.execute(f'select stddev_pop("{column}") from customers where "{scheme}" is not null and isfinite("{column}"::double)').fetchone()[0]
    return value or None


def beside(number, kind):
    """A limit and its neighbours: the value, and the limit that is told."""
    if kind == "BIGINT":
        return [(whole, whole) for whole in sorted({math.floor(number) - 1, math.floor(number), math.ceil(number), math.ceil(number) + 1})]
    return [(number, number), (math.nextafter(number, math.inf), number), (math.nextafter(number, -math.inf), number)]


def literal(value, kind):
    if value is None:
        return f"null::{kind}"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value!r}::{kind}"


def of_rules(scheme):
    """Per customer the changes (column, value, limit, segment) that lead elsewhere."""
    stated = rules[scheme]
    words = " ".join(when for _, when in stated["rules"])
    texts = sorted(set(re.findall(r"'([^']*)'", words)))
    bare = re.sub(r"'[^']*'", " ", words)
    numbers = sorted({float(one) for one in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", bare)})
    read = [name for name in columns if re.search(rf"\b{re.escape(name)}\b", bare)]
    decide = "case " + " ".join(f"when ({when}) then {literal(segment, '')}" for segment, when in stated["rules"])
    decide += f" else {literal(stated['otherwise'], '')} end"
    for column in read:
        kind = columns[column]
        tried = []
        if kind in kinds:
            tried = [one for number in numbers for one in beside(number, kind)]
        elif kind == "VARCHAR":
            tried = [(text, text) for text in texts] + [("\x01", "\x01")]
        if re.search(rf"\b{re.escape(column)}\s+is\s+(not\s+)?null", bare):
            tried.append((None, None))
        for value, limit in dict.fromkeys(tried):
            table = f'(select * replace ({literal(value, kind)} as "{column}") from customers)'
            for customer, segment in con.execute(f'select "{key}", {decide} from {table}').fetchall():
                yield customer, (column, value, limit, segment)


def of_tiers(scheme):
    by = con.execute("select text from models where score = ? and name = 'by'", [scheme]).fetchone()[0]
    found = con.execute("select name, value from models where score = ? and name like 'lowest_%'", [scheme]).fetchall()
    tiers = sorted(((value, name.removeprefix("lowest_")) for name, value in found), reverse=True)

    def tier(number):
        return next((name for value, name in tiers if number >= value), tiers[-1][1])

    tried = [one for value, _ in tiers[:-1] for one in beside(value, columns[by])]
    for customer, number in con.execute(f'select "{key}", "{by}" from customers where "{scheme}" is not null').fetchall():
        if number is not None:
            for value, limit in tried:
                yield customer, (by, value, limit, tier(value))


def of_grid(scheme):
    features = [con.execute("select text from models where score = ? and name = ?", [scheme, f"{d}_feature"]).fetchone()[0] for d in ("recency", "frequency", "monetary")]
    scores = int(con.execute("select value from models where score = ? and name = 'scores'", [scheme]).fetchone()[0])
    cells = {}
    for segment, rule in con.execute("select segment, rule from segments where scheme = ? order by position", [scheme]).fetchall():
        if rule.startswith("RFM "):
            cells.update({tuple(int(digit) for digit in cell): segment for cell in rule[4:].split()})
    assert len(cells) == scores**3, "the test reads grids that list their cells"
    ends = [f"{scheme}_r", f"{scheme}_f", f"{scheme}_m"]
    edges = []
    for place, (feature, end) in enumerate(zip(features, ends)):
        # Bins rise with the value; an edge is the largest value of the bins up to it.
        largest = dict(con.execute(f'select "{end}", max("{feature}") from customers where "{end}" is not null group by 1').fetchall())
        bins = {(scores - score if place == 0 else score - 1): value for score, value in largest.items()}
        stated = con.execute("select value from models where score = ? and name like ? order by name", [scheme, f"{('recency', 'frequency', 'monetary')[place]}_edge_%"]).fetchall()
        if stated:
            edges.append([value for (value,) in stated])
        else:
            edges.append([max((value for bin, value in bins.items() if bin <= edge), default=-math.inf) for edge in range(scores - 1)])
    closed = con.execute("select text from models where score = ? and name = 'edges_closed'", [scheme]).fetchone()
    left = closed is not None and closed[0] == "left"

    def digit(place, value):
        bin = sum(edge <= value if left else edge < value for edge in edges[place])
        return scores - bin if place == 0 else bin + 1

    picked = ", ".join(f'"{feature}"' for feature in features)
    for customer, *values in con.execute(f'select "{key}", {picked} from customers where "{ends[0]}" is not null').fetchall():
        own = [digit(place, value) for place, value in enumerate(values)]
        for place, feature in enumerate(features):
            limits = [edge for edge in edges[place] if edge > -1e300]
            for value, limit in dict.fromkeys(one for edge in limits for one in beside(edge, columns[feature])):
                cell = list(own)
                cell[place] = digit(place, value)
                yield customer, (feature, value, limit, cells[tuple(cell)])


def told(column, value, limit, now, segment):
    if value is None:
        words = "is missing"
    elif isinstance(value, str):
        words = "is any other text" if value == "\x01" else f"is {value}" if value else "is ''"
    else:
        if isinstance(value, float) and value != limit:
            bound = "more than" if value > limit else "less than"
        else:
            bound = "is" if now is None else "at least" if limit > now else "at most"
        # Limits are told with twelve digits; the words say on which side of them the exact one lies.
        exact, limit = limit, float(f"{limit:.12g}") if isinstance(value, float) else limit
        if limit > exact:
            bound = {"at most": "less than", "more than": "at least"}.get(bound, bound)
        elif limit < exact:
            bound = {"at least": "more than", "less than": "at most"}.get(bound, bound)
        number = str(int(limit)) if float(limit).is_integer() and abs(limit) < 1e15 else repr(limit)
        words = f"{bound} {number}"
    return f"{column} {words} leads to {segment}"


models = {name: {one for (one,) in con.execute("select distinct model from models where score = ?", [name]).fetchall()} for name in schemes}
rows = {}
for values in con.execute("from customers").fetchall():
    row = dict(zip(columns, values))
    rows[row[key]] = row
checked, of_scheme = 0, {}
columns_of = {}
for scheme in schemes:
    published = {}
    for customer, segment, by, nearest in con.execute(f'select "{key}", segment, assigned_by, nearest_change from memberships where scheme = ? order by 1 limit {wanted}', [scheme]).fetchall():
        published[customer] = (segment, by, nearest)
    columns_of[scheme] = {customer: nearest for customer, (_, _, nearest) in published.items()}
    if scheme in rules:
        changes = of_rules(scheme)
    elif "quantile" in models[scheme]:
        changes = of_tiers(scheme)
    elif "rfm_grid" in models[scheme]:
        changes = of_grid(scheme)
    else:
        assert all(nearest is None for _, _, nearest in published.values()), scheme
        continue
    best, spreads = {}, {}
    for customer, (column, value, limit, segment) in changes:
        if customer not in published or published[customer][1] in ("pin", "held") or segment == published[customer][0]:
            continue
        now = rows[customer][column]
        size = rank = math.inf
        if limit is not None and not isinstance(limit, str) and now is not None:
            if column not in spreads:
                spreads[column] = spread(column, scheme)
            size = abs(limit - now)
            rank = size / spreads[column] if spreads[column] else math.inf
        best.setdefault(customer, []).append((rank, size, column, segment, told(column, value, limit, now, segment)))
    for customer, (segment, by, nearest) in published.items():
        found = best.get(customer, [])
        if not found:
            assert nearest is None, (scheme, customer, nearest)
            continue
        least = min(found)
        # Two standard deviations computed in different ways may differ in their last digits.
        fits = {one[4] for one in found if one[0] == least[0] or one[0] <= least[0] * (1 + 1e-9)}
        if math.isinf(least[0]):
            fits = {one[4] for one in found}
        assert nearest in fits, (scheme, customer, nearest, sorted(fits)[:5])
        checked += 1
        of_scheme[scheme] = of_scheme.get(scheme, 0) + 1

agreed = 0
for customer in json.load(open(sys.argv[4])):
    for scheme in customer["schemes"]:
        if customer["customer"] not in columns_of[scheme["scheme"]]:
            continue
        column = columns_of[scheme["scheme"]][customer["customer"]]
        assert (column is None) == (not scheme["nearest"]), (customer["customer"], scheme["scheme"], column)
        if column is not None:
            change = scheme["nearest"][0]
            value, bound = change["to"], change["bound"]
            if bound == "is not named":
                words = "is any other text"
            elif value is None:
                words = "is missing"
            elif isinstance(value, str):
                words = f"is {value}" if value else "is ''"
            else:
                number = str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
                words = f"{bound} {number}"
            assert column == f"{change['column']} {words} leads to {change['segment']}", (column, change)
        agreed += 1
assert checked > wanted and agreed > wanted, (of_scheme, agreed)
print(json.dumps({"checked": checked, "by_scheme": of_scheme, "as_explained": agreed}))
