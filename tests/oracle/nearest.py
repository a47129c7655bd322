"""The column `nearest_change` of `memberships`, computed again from the published tables: nearest.py STORE PIPELINE CUSTOMERS EXPLAINED.json

PIPELINE is the pipeline file, CUSTOMERS how many are compared. Every column that the rules read is tried with every constant in them and its neighbours, each time by
evaluating all rules in DuckDB over all customers; tiers by their lowest values in `models`, cells of a grid by the largest value of
each score among the customers and the cells that `segments` names. Of clusters, whose centres and preparation are in `models`, every
whole number and a fine grid of other numbers within the values of the customers is tried. Lifecycle stages are decided again for the
days beside their limits, or the overdue ratio beside its own. Limits of entering and leaving, and margins of scores, decide for every
distinct value by its rank among all customers, from the segment in which the customer is. The first change in EXPLAINED.json, what `tessera explain --json`
says of customers, must be that of the column.
"""
import json
import math
import re
import sys
import tomllib

import duckdb
import numpy

store, wanted = sys.argv[1], int(sys.argv[3])
with open(sys.argv[2], "rb") as file:
    pipeline = tomllib.load(file)
declared = pipeline["schemes"]
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


limits = pipeline.get("memberships", {})
entered, margins = limits.get("hysteresis", {}), limits.get("score_margin", {})


def distinct(feature, scheme):
    """The distinct values of a column, ascending, with how many customers have a lower one and how many have it."""
    counted = con.execute(f'select "{feature}", count(*) from customers where "{scheme}" is not null and "{feature}" is not null group by 1 order by 1').fetchall()
    values, counts = [value for value, _ in counted], [count for _, count in counted]
    below = numpy.cumsum([0, *counts]).tolist()
    return values, below, counts


def changing(values, of):
    """The places of values from which on something is another than of the value below."""
    return [place for place in range(1, len(values)) if of[place] != of[place - 1]]


def of_tiers_within(scheme):
    by, tiers = declared[scheme]["by"], list(declared[scheme]["tiers"].items())
    names = [name for name, _ in tiers]
    values, below, counts = distinct(by, scheme)
    total = below[-1]

    def decided(own):
        """The tier of each value for who is in one."""
        shares = []
        for place, (name, share) in enumerate(tiers):
            of_tier = entered[scheme].get(name, {})
            shares.append(of_tier.get("exit" if names.index(own) <= place else "enter", share))
        share_of = [(total - below[at + 1] + counts[at] / 2) / total for at in range(len(values))]
        return [next(name for name, share in zip(names, shares) if of_value <= share + 1e-9) for of_value in share_of]

    tried = {}
    for own in names:
        of = decided(own)
        found = [(value, limit) for place in changing(values, of) for value, limit in beside(values[place], columns[by])]
        # A tier reaches down to its lowest value.
        tried[own] = [(value, limit, of[max(numpy.searchsorted(values, value, "right") - 1, 0)]) for value, limit in found]
    for customer, segment, number in con.execute(f'select "{key}", "{scheme}", "{by}" from customers where "{scheme}" is not null').fetchall():
        if number is not None:
            for value, limit, to in tried[segment]:
                yield customer, (by, value, limit, to)


def of_grid_within(scheme):
    margin, method = margins[scheme], declared[scheme]["score_method"]
    features, scores, cells = grid(scheme)
    most, axes = 5, []
    assert scores == most
    for place, feature in enumerate(features):
        values, below, counts = distinct(feature, scheme)
        total = below[-1]
        if method == "quantile":
            all_values = numpy.repeat(numpy.array(values, dtype=float), counts)

            def of_value(value, shift):
                steps = numpy.clip(numpy.arange(1, most) / most + shift, 0, 1)
                bin = int((numpy.quantile(all_values, steps) < value).sum())
                return most - bin if place == 0 else bin + 1

            edges = numpy.concatenate([numpy.quantile(all_values, numpy.clip(numpy.arange(1, most) / most + shift, 0, 1)) for shift in (0, margin, -margin)])
            limits = sorted(set(edges.tolist()))
            triple = lambda value: [of_value(value, shift) for shift in (0, margin, -margin)]
        else:
            of = []
            for at in range(len(values)):
                worse = total - below[at + 1] if place == 0 else below[at]
                exact = min(most, 1 + most * (2 * worse + counts[at]) // (2 * total))
                rank = (2 * worse + counts[at]) / (2 * total)
                of.append([exact] + [min(most, 1 + int(most * max(rank + by, 0.0))) for by in (-margin, margin)])
            # A score reaches up to its largest value.
            limits = [values[place - 1] for place in changing(values, of)]
            triple = lambda value, values=values, of=of: of[min(int(numpy.searchsorted(values, value, "left")), len(values) - 1)]
        tried = [(value, limit, triple(value)) for one in limits for value, limit in beside(one, columns[feature])]
        axes.append((tried, {value: triple(value) for value in values}))
    picked = ", ".join(f'"{feature}"' for feature in features)
    for customer, segment, *values in con.execute(f'select "{key}", "{scheme}", {picked} from customers where "{scheme}_r" is not null').fetchall():
        known = [own[value] for (_, own), value in zip(axes, values)]
        for place, (tried, _) in enumerate(axes):
            for value, limit, to in tried:
                r, f, m = [to if place == axis else known[axis] for axis in range(3)]
                near = {cells[(a, b, c)] for a in range(min(r), max(r) + 1) for b in range(min(f), max(f) + 1) for c in range(min(m), max(m) + 1)}
                yield customer, (features[place], value, limit, segment if segment in near else cells[(r[0], f[0], m[0])])


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


def grid(scheme):
    """The features of a grid, its scores, and the segment of each cell."""
    features = [con.execute("select text from models where score = ? and name = ?", [scheme, f"{d}_feature"]).fetchone()[0] for d in ("recency", "frequency", "monetary")]
    scores = int(con.execute("select value from models where score = ? and name = 'scores'", [scheme]).fetchone()[0])
    cells = {}
    for segment, rule in con.execute("select segment, rule from segments where scheme = ? order by position", [scheme]).fetchall():
        if rule.startswith("RFM "):
            cells.update({tuple(int(digit) for digit in cell): segment for cell in rule[4:].split()})
    assert len(cells) == scores**3, "the test reads grids that list their cells"
    return features, scores, cells


def of_grid(scheme):
    features, scores, cells = grid(scheme)
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


def of_lifecycle(scheme):
    stated = pipeline["features"].get("lifecycle", {})
    if "cadence" in str(stated):
        column, limits, stages = "overdue_ratio", [1.0, 2.0, 3.0], ["active", "slipping", "at risk", "lapsed"]
    else:
        days = [stated.get(name, usual) for name, usual in (("active_days", 30), ("at_risk_days", 90), ("dormant_days", 365))]
        column, limits, stages = "recency_days", days, ["active", "at risk", "dormant", "churned"]
    tried = [one for limit in limits for one in beside(limit, columns[column])]
    for customer, tenure, number in con.execute(f'select "{key}", tenure_days, "{column}" from customers where lifecycle_stage is not null').fetchall():
        if column == "recency_days" and tenure <= limits[0]:
            continue  # New, whatever the days since the last activity.
        for value, limit in tried:
            yield customer, (column, value, limit, stages[sum(value > one for one in limits)])


class Centres:
    """The nearest of the centres of a scheme, from the rows of `models`."""

    def __init__(self, scheme):
        rows = con.execute("select name, value, text from models where score = ? and model in ('kmeans', 'hierarchical')", [scheme]).fetchall()
        value, text = {name: one for name, one, _ in rows}, {name: one for name, _, one in rows}
        self.features = [name.removeprefix("centroid_1_") for name in value if name.startswith("centroid_1_")]
        self.names = [text[f"cluster_{one}"] for one in range(1, 100) if f"cluster_{one}" in text]
        self.centres = numpy.array([[value[f"centroid_{one + 1}_{feature}"] for feature in self.features] for one in range(len(self.names))])
        transforms = {"none": lambda x: x, "log1p": numpy.log1p, "asinh": numpy.arcsinh}
        self.transform = {feature: transforms[text.get(f"transform_{feature}", "none")] for feature in self.features}
        self.of = {
            feature: [value.get(f"{what}_{feature}") for what in ("median", "mean", "sd", "lower", "upper")] for feature in self.features
        }
        ends = {feature: con.execute(f'select min("{feature}")::double, max("{feature}")::double from customers where isfinite("{feature}"::double)').fetchone() for feature in self.features}
        self.ends = ends
        self.spread = {feature: spread(feature, scheme) for feature in self.features}

    def prepared(self, feature, values):
        median, mean, sd, lower, upper = self.of[feature]
        values = numpy.where(numpy.isnan(values), median, values)
        found = self.transform[feature](values)
        found = numpy.clip(found, -numpy.inf if lower is None else lower, numpy.inf if upper is None else upper)
        return (found - mean) / sd if sd > 0 else numpy.zeros_like(found)

    def point(self, row):
        raw = [numpy.array([math.nan if row[feature] is None else float(row[feature])]) for feature in self.features]
        return numpy.array([self.prepared(feature, one)[0] for feature, one in zip(self.features, raw)])

    def nearest(self, point, feature, values):
        """The segment for each value of a feature."""
        place = self.features.index(feature)
        points = numpy.repeat(point[None, :], len(values), axis=0)
        points[:, place] = self.prepared(feature, numpy.asarray(values, dtype=float))
        squared = ((points[:, None, :] - self.centres[None, :, :]) ** 2).sum(axis=2)
        return squared.argmin(axis=1)

    def check(self, row, own, words):
        """The change that is told leads where it says, and no value that is tried leads away with a smaller one."""
        point, best = self.point(row), (math.inf, None)
        own = self.names.index(own)
        for feature in self.features:
            now, kind = row[feature], columns[feature]
            if now is None or kind not in kinds or not self.of[feature][2] > 0:
                continue
            least, most = self.ends[feature]
            if kind == "BIGINT":
                tried = numpy.arange(least, most + 1)
            else:
                tried = numpy.unique(numpy.concatenate([numpy.linspace(least, most, 3000), now + (most - least) * numpy.linspace(-0.02, 0.02, 1001), [least, most]]))
                tried = tried[(tried >= least) & (tried <= most)]
            other = tried[self.nearest(point, feature, tried) != own]
            if len(other):
                best = min(best, (float(numpy.abs(other - now).min()) / self.spread[feature], feature))
        if words is None:
            assert best[1] is None, (row[key], best)
            return False
        feature, bound, value, segment = re.fullmatch(r"(\w+) (at least|at most|more than|less than|is) (\S+) leads to (.*)", words).groups()
        number, now = float(value), row[feature]
        beside = {"more than": math.nextafter(number, math.inf), "less than": math.nextafter(number, -math.inf)}.get(bound, number)
        least, most = self.ends[feature]
        assert least <= number <= most, (row[key], words)
        found = self.nearest(point, feature, [beside])[0]
        assert found != own and self.names[found] == segment, (row[key], words, self.names[found])
        # Half way back nothing has changed, unless the next whole number is told.
        half = (number + now) / 2 if columns[feature] == "DOUBLE" else number - math.copysign(1, number - now)
        assert self.nearest(point, feature, [half])[0] == own, (row[key], words)
        # What is told states the change to within a tenth, and the grid may miss the first value by one step.
        step = 0 if columns[feature] == "BIGINT" else 1e-4 * (most - least) / self.spread[feature]
        assert abs(number - now) / self.spread[feature] <= best[0] * 1.1 + step, (row[key], words, best)
        return True


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


with open(sys.argv[4]) as file:
    explained = json.load(file)


def first(scheme):
    """The first change that `explain` tells, as `nearest_change` has it."""
    if not scheme["nearest"]:
        return None
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
    return f"{change['column']} {words} leads to {change['segment']}"


models = {name: {one for (one,) in con.execute("select distinct model from models where score = ?", [name]).fetchall()} for name in schemes}
rows = {}
for values in con.execute("from customers").fetchall():
    row = dict(zip(columns, values))
    rows[row[key]] = row
checked, of_scheme, held = 0, {}, {}
columns_of = {}
for scheme in schemes:
    published = {}
    for customer, segment, by, nearest in con.execute(f'select "{key}", segment, assigned_by, nearest_change from memberships where scheme = ? order by 1 limit {wanted}', [scheme]).fetchall():
        published[customer] = (segment, by, nearest)
    columns_of[scheme] = {str(customer): nearest for customer, (_, _, nearest) in published.items()}
    if scheme in rules:
        changes = of_rules(scheme)
    elif scheme in entered:
        changes = of_tiers_within(scheme)
    elif scheme in margins:
        changes = of_grid_within(scheme)
    elif "quantile" in models[scheme]:
        changes = of_tiers(scheme)
    elif "rfm_grid" in models[scheme]:
        changes = of_grid(scheme)
    elif "lifecycle" in models[scheme]:
        changes = of_lifecycle(scheme)
    elif models[scheme] & {"kmeans", "hierarchical"}:
        centres = Centres(scheme)
        for customer, (segment, by, nearest) in published.items():
            if by not in ("pin", "held") and centres.check(rows[customer], segment, nearest):
                checked += 1
                of_scheme[scheme] = of_scheme.get(scheme, 0) + 1
        assert of_scheme.get(scheme, 0) > wanted // 2, (scheme, of_scheme)
        continue
    else:
        assert all(nearest is None for _, _, nearest in published.values()), scheme
        continue
    best, spreads = {}, {}
    held[scheme] = sum(by == "held" and nearest is not None for _, by, nearest in published.values())
    for customer, (column, value, limit, segment) in changes:
        # No minimum stay is stated: limits and margins hold customers only where changes are told from.
        if customer not in published or published[customer][1] == "pin" or segment == published[customer][0]:
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
for customer in explained:
    for scheme in customer["schemes"]:
        if customer["customer"] not in columns_of[scheme["scheme"]]:
            continue
        column = columns_of[scheme["scheme"]][customer["customer"]]
        assert column == first(scheme), (customer["customer"], scheme, column)
        agreed += 1
assert checked > wanted and agreed > wanted, (of_scheme, agreed)
assert all(held[scheme] > 0 for scheme in [*entered, *margins]), held
print(json.dumps({"checked": checked, "by_scheme": of_scheme, "held": held, "as_explained": agreed}))
