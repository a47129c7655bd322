"""Drift between two versions, computed a second time with DuckDB, NumPy and SciPy and compared with the table `drift`.

Usage: drift.py STORE VERSION      (needs Python 3.11, duckdb and scipy)

Every row is computed from the published `customers` and `memberships` of both versions: the index over the deciles of the previous
version, the distances, the shares of missing values, and the critical values of SciPy, to 1e-9. Exit code 1 on any difference.
"""

import datetime
import json
import math
import pathlib
import sys
from fractions import Fraction

import duckdb
import numpy as np
from scipy import stats

store, version = pathlib.Path(sys.argv[1]), int(sys.argv[2])


def commit(number):
    return json.loads((store / "commits" / f"{number:020}.json").read_text())


def table(number, name):
    found = commit(number)
    return store / "data" / f"as_of={found['as_of']}" / f"run={found['txid']}" / f"{name}.parquet"


now, before = version, commit(version)["previous"]
db = duckdb.connect()
rows = db.execute(f"select * from '{table(now, 'drift')}'").df().to_dict("records")
days = {number: commit(number)["as_of"] for number in (before, now)}
types = {name: kind for name, kind, *_ in db.execute(f"describe select * from '{table(now, 'customers')}'").fetchall()}


def values(number, name):
    column = f'"{name}"'
    if types[name] == "DATE":
        column = f"date_diff('day', {column}, date '{days[number]}')"
    return [row[0] for row in db.execute(f"select {column} from '{table(number, 'customers')}'").fetchall()]


def psi(left, right):
    p = (left + 0.5) / (left.sum() + 0.5 * len(left))
    q = (right + 0.5) / (right.sum() + 0.5 * len(right))
    return float(((q - p) * np.log(q / p)).sum())


def over_bins(left, right):
    used = (left + right) > 0
    left, right = left[used].astype(float), right[used].astype(float)
    n, m, bins = left.sum(), right.sum(), len(left)
    critical = float(stats.chi2.isf(0.05, bins - 1)) if bins > 1 else None
    found = {"bins": bins, "psi": psi(left, right)}
    found["psi_critical"] = None if critical is None else (1 / n + 1 / m) * critical
    squared = stats.chi2_contingency([left, right], correction=False).statistic if bins > 1 else 0.0
    return found, {"chi_squared": squared, "chi_squared_critical": critical}


def decile(rising, part):
    """Type 7, in fractions: rounding must not move an edge across a value."""
    low, tenths = divmod((len(rising) - 1) * part, 10)
    first, second = Fraction(rising[low]), Fraction(rising[min(low + 1, len(rising) - 1)])
    return float(first + (second - first) * Fraction(tenths, 10))


units = dict(db.execute(f"select name, unit from '{table(now, 'features')}'").fetchall())
gap = (datetime.date.fromisoformat(days[now]) - datetime.date.fromisoformat(days[before])).days


def of_numbers(left, right):
    deciles = np.unique([decile(np.sort(left), part) for part in range(1, 10)])
    spread = 0.0 if left.min() == left.max() else np.std(left)
    # A value of one customer in twenty has a bin of its own: a tenth of it or of the deviation, or half way to the next such value.
    shared = [value for value in deciles if (left == value).sum() >= 0.05 * len(left)]
    own = []
    for place, value in enumerate(shared):
        beside = [abs(shared[other] - value) / 2 for other in (place - 1, place + 1) if 0 <= other < len(shared)]
        reach = min([0.1 * (min(abs(value), spread) if spread > 0 else abs(value)), *beside])
        own.append((np.nextafter(value - reach, -np.inf), value + reach))
    outside = [value for value in deciles if not any(low < value <= high for low, high in own)]
    edges = np.unique([*outside, *(end for ends in own for end in ends)])
    count = lambda values: np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    found, _ = over_bins(count(left), count(right))
    n, m = len(left), len(right)
    found["ks"] = stats.ks_2samp(left, right, method="asymp").statistic
    found["ks_critical"] = float(stats.kstwobign.isf(0.05)) * math.sqrt((n + m) / (n * m))
    return found


def of_labels(left, right):
    names, counts = np.unique(left, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: (-counts[place], str(names[place]).encode()))
    shown = [names[place] for place in order[:20]]
    count = lambda values: np.array([sum(v == name for v in values) for name in shown] + [sum(v not in shown for v in values)])
    found, squared = over_bins(count(left), count(right))
    return found | squared


def of_scheme(name):
    counts = {}
    for place, number in enumerate((before, now)):
        query = f"select segment_id, count(*) from '{table(number, 'memberships')}' where scheme = ? group by all"
        for segment, customers in db.execute(query, [name]).fetchall():
            counts.setdefault(segment, [0, 0])[place] = customers
    kinds = {scheme["name"]: scheme["kind"] for scheme in commit(now)["pipeline"]["schemes"]}
    if kinds[name] in ("kmeans", "hierarchical"):
        # Clusters that no cluster of the other version continues are compared together.
        alone = [counts.pop(segment) for segment in list(counts) if 0 in counts[segment]]
        counts[None] = [sum(count[place] for count in alone) for place in (0, 1)]
    left, right = (np.array([count[place] for count in counts.values()]) for place in (0, 1))
    found, squared = over_bins(left, right)
    shares = {"missing_share_before": 0.0, "missing_share": 0.0, "missing_change": 0.0}
    return found | squared | shares | {"customers_before": left.sum(), "customers": right.sum()}


def expected(row):
    if row["kind"] == "scheme":
        return of_scheme(row["name"])
    left, right = values(before, row["name"]), values(now, row["name"])
    missing = [sum(value is None for value in side) / len(side) for side in (left, right)]
    left, right = ([value for value in side if value is not None] for side in (left, right))
    found = {
        "customers_before": len(left),
        "customers": len(right),
        "missing_share_before": missing[0],
        "missing_share": missing[1],
        "missing_change": missing[1] - missing[0],
    }
    if left and right:
        is_label = types[row["name"]] in ("VARCHAR", "BOOLEAN")
        counts_days = types[row["name"]] == "DATE" or units.get(row["name"]) == "days"
        if is_label:
            found |= of_labels(left, right)
        else:
            # Of days that are counted what is nearer: the customers as they were, or as time alone makes them.
            both = [np.array(left, float) + passed for passed in ((0, gap) if counts_days else (0,))]
            found |= min((of_numbers(one, np.array(right, float)) for one in both), key=lambda one: one["psi"])
    return found


differences, kinds = [], {}
for row in rows:
    wanted = expected(row)
    kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    for measure in ("customers_before", "customers", "bins", "psi", "psi_critical", "ks", "ks_critical", "chi_squared",
                    "chi_squared_critical", "missing_share_before", "missing_share", "missing_change"):
        value, want = row[measure], wanted.get(measure)
        absent = value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>"
        if absent != (want is None) or (not absent and abs(value - want) > 1e-9 * max(1.0, abs(want))):
            differences.append(f"{row['kind']} {row['name']} {measure}: {value}, expected {want}")
    index, critical = wanted.get("psi"), wanted.get("psi_critical")
    if index is not None and row["status"] != "redefined":
        size = max(0.0 if critical is None or index <= critical else index, abs(wanted["missing_change"]))
        status = "severe" if size > 0.25 else "moderate" if size >= 0.1 else "stable"
        if status != row["status"]:
            differences.append(f"{row['kind']} {row['name']}: {row['status']}, expected {status}")

print(f"{len(rows)} rows {kinds}, {len(differences)} differences")
print("\n".join(differences[:20]))
sys.exit(bool(differences) or not {"feature", "score", "value", "scheme"} <= set(kinds))
