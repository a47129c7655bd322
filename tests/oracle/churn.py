"""The population of a churn score and its test figures, computed a second time with DuckDB and scikit-learn from the lake.

Usage: churn.py PIPELINE LAKE VERSION_FOLDER AS_OF      (needs Python 3.11 and duckdb, pyarrow, scikit-learn)

Written from the definitions and the pipeline file; shares no code with tessera. For every supervised score over events: who can
churn at `as_of` and at each observation date, and why others cannot; which of them churned; on the published rows of `backtest` the
area under the curve, average precision, log loss, Brier score and calibration by bins, every customer once; the mean in `segments`.
Counts must be equal, figures within 1e-9. Exit code 1 on any difference.
"""

import math
import sys
from datetime import date, timedelta

import duckdb
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from features import Source, days, load_pipeline, quoted

failures = 0


def check(what, expected, found, tolerance=0.0):
    global failures
    if isinstance(expected, float) and found is not None:
        same = abs(expected - found) <= tolerance
    else:
        same = expected == found
    failures += not same
    print(f"{'ok  ' if same else 'FAIL'} {what}: {found}" + ("" if same else f", expected {expected}"))


def living(db, source, on, horizon):
    """Keys with an event in the horizon before the close of a day, and keys with any event up to that day."""
    key = f"select distinct _key from {source.table} where _day <= date '{on}'"
    alive = {row[0] for row in db.execute(f"{key} and _day > date '{on - timedelta(horizon)}'").fetchall()}
    return alive, {row[0] for row in db.execute(key).fetchall()}


def parts(rows):
    """Predicted and observed by bins of mid-ranks with 200 rows each, at most ten; equal predictions are in the same bin, and a bin
    of fewer than 200 rows is merged into the one before it."""
    rows, bins, before = sorted(rows), {}, 0
    wanted = min(max(len(rows) // 200, 1), 10)
    while before < len(rows):
        end = before
        while end < len(rows) and rows[end][0] == rows[before][0]:
            end += 1
        run = rows[before:end]
        place = min(wanted * (2 * before + len(run)) // (2 * len(rows)), wanted - 1)
        bins.setdefault(place, []).extend(run)
        before += len(run)
    joined = []
    for place in sorted(bins):
        if joined and min(len(joined[-1]), len(bins[place])) < 200:
            joined[-1] += bins[place]
        else:
            joined.append(bins[place])
    bins = dict(enumerate(joined, 1))
    return {number: (len(bin), math.fsum(p for p, _ in bin) / len(bin), sum(y for _, y in bin) / len(bin))
            for number, bin in bins.items()}


def score(db, pipeline, name, spec, folder, as_of):
    horizon, observations = days(spec["horizon"]), spec.get("observations", 4)
    every = days(spec.get("every")) or horizon
    source = Source(db, spec["from"], pipeline["sources"][spec["from"]], pipeline["timezone"], as_of)
    key = quoted(pipeline["customer"]["key"])

    alive, ever = living(db, source, as_of, horizon)
    rows = db.execute(f"select {key}, {quoted(name + '_probability')}, {quoted(name + '_excluded')} "
                      f"from '{folder}/customers.parquet'").fetchall()
    check(f"{name}: customers with a probability", len(alive), sum(p is not None for _, p, _ in rows))
    why = lambda k: None if k in alive else "churned before" if k in ever else "never bought"
    check(f"{name}: customers with another standing", 0, sum((p is not None) != (k in alive) or e != why(k) for k, p, e in rows))
    models = {(m, n): v for m, n, v in db.execute(
        f"select model, name, value from '{folder}/models.parquet' where score = '{name}'").fetchall()}
    check(f"{name}: size of the population", float(len(alive)), models["population", "customers"])
    check(f"{name}: churned before", float(len({k for k, _, _ in rows} & ever - alive)), models["population", "excluded: churned before"])

    outcome = {}
    for back in range(observations):
        on = as_of - timedelta(horizon + back * every)
        then, _ = living(db, source, on, horizon)
        later, _ = living(db, source, on + timedelta(horizon), horizon)
        outcome[on] = {k: int(k not in later) for k in then}
        if then:
            check(f"{name}: could churn on {on}", float(len(then)), models["population", f"{on} customers"])
            check(f"{name}: churned after {on}", float(sum(outcome[on].values())), models["population", f"{on} churned"])

    tested = db.execute(f"select {key}, model, observed_on, predicted, churned from '{folder}/backtest.parquet' "
                        f"where score = '{name}'").fetchall()
    newest = as_of - timedelta(horizon)
    check(f"{name}: tested rows of another date, or of who could not churn", 0,
          sum(on != newest or k not in outcome[newest] for k, _, on, _, _ in tested))
    check(f"{name}: tested rows with another outcome", 0, sum(outcome[newest].get(k) != y for k, _, _, _, y in tested))
    everyone = sum(k in outcome[newest] for k in outcome[newest])
    check(f"{name}: every customer is tested on once", everyone, len({row[0] for row in tested}))
    for model in sorted({row[1] for row in tested}):
        p, y = [r[3] for r in tested if r[1] == model], [r[4] for r in tested if r[1] == model]
        check(f"{model}: tested customers", models["churn", "test_rows"], float(len(p)))
        figures = {"test_auc": roc_auc_score(y, p), "test_average_precision": average_precision_score(y, p),
                   "test_log_loss": log_loss(y, p), "test_brier": brier_score_loss(y, p)}
        for figure, expected in figures.items():
            check(f"{model}: {figure}", float(expected), models[model, figure], 1e-9)
        bins = parts(list(zip(p, y)))
        published = {b: (n, pr, ob) for b, n, pr, ob in db.execute(
            f"select bin, customers, predicted, observed from '{folder}/calibration.parquet' "
            f"where score = '{name}' and model = '{model}'").fetchall()}
        same = bins.keys() == published.keys() and all(
            bins[b][0] == published[b][0] and max(abs(bins[b][i] - published[b][i]) for i in (1, 2)) < 1e-9 for b in bins)
        check(f"{model}: calibration of {len(bins)} bins", True, same)
        error = math.fsum(n / len(p) * abs(pr - ob) for n, pr, ob in bins.values())
        check(f"{model}: calibration error", error, models[model, "test_expected_calibration_error"], 1e-9)
        spread = [n / len(p) * math.sqrt(pr * (1 - pr) / n) for n, pr, _ in bins.values()]
        # Predictions are learned from a sample, too: two of three folds of the customers of earlier dates.
        early = [outcome[on] for on in outcome if on <= newest - timedelta(horizon)]
        customers, learnt = len(set().union(*early)), models["churn", "train_customers"]
        # A fit takes only so many rows, of which the program knows the customers.
        is_whole = models["churn", "train_rows"] == sum(map(len, early))
        check(f"{model}: customers learned from", True, learnt == customers if is_whole else learnt < customers)
        limit = math.sqrt(1 + len(p) / (learnt * 2 / 3)) * (math.sqrt(2 / math.pi) * sum(spread) + 1.6448536269514722 * math.sqrt(
            (1 - 2 / math.pi) * sum(x * x for x in spread)))
        check(f"{model}: what chance allows", limit, models[model, "test_calibration_error_limit"], 1e-9)

    # The share of each date: the newest one's by the backtest of the model that is used, and the spread of all by DerSimonian and Laird.
    served, = db.execute(f"select text from '{folder}/models.parquet' where score = '{name}' and name = 'served'").fetchone()
    p, y = zip(*[(r[3], r[4]) for r in tested if r[1] == served])
    expected = {"predicted": math.fsum(p) / len(p), "observed": sum(y) / len(y), "standard_error": math.sqrt(math.fsum(x * (1 - x) for x in p)) / len(p)}
    for figure, value in expected.items():
        check(f"{name}: {figure} share of {newest}", value, models["churn", f"{newest} {figure}"], 1e-9)
    dates = [on for on in outcome if ("churn", f"{on} observed") in models]
    if is_whole:
        for on in dates:
            check(f"{name}: observed share of {on}", sum(outcome[on].values()) / len(outcome[on]), models["churn", f"{on} observed"], 1e-9)
    gaps = [models["churn", f"{on} observed"] - models["churn", f"{on} predicted"] for on in dates]
    w = [models["churn", f"{on} standard_error"] ** -2 for on in dates]
    mean = math.fsum(a * b for a, b in zip(w, gaps)) / sum(w)
    q = math.fsum(a * (b - mean) ** 2 for a, b in zip(w, gaps))
    variance = max(0, (q - len(w) + 1) / (sum(w) - sum(x * x for x in w) / sum(w)))
    found, = db.execute(f"select value from '{folder}/quality.parquet' where metric = 'error of the share between dates' "
                        f"and scheme like '%{name}%'").fetchone()
    check(f"{name}: error of the share between dates", math.sqrt((1 + 1 / len(w)) * variance), found, 1e-9)

    goal = pipeline.get("goal", {}).get("kpi")
    if goal == f"{name}_probability":
        for scheme in pipeline["schemes"]:
            wrong = db.execute(f"""
                select count(*) from '{folder}/segments.parquet' s left join (
                  select {quoted(scheme)} as segment, avg({quoted(goal)}) as kpi from '{folder}/customers.parquet' group by 1) c
                using (segment) where s.scheme = '{scheme}' and
                (s.kpi is null) <> (c.kpi is null) or abs(s.kpi - c.kpi) > 1e-9""").fetchone()[0]
            check(f"segments of {scheme} with another mean of the living", 0, wrong)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    path, lake, folder, day = sys.argv[1:]
    pipeline = load_pipeline(path, lake)
    db = duckdb.connect()
    supervised = {name: spec for name, spec in pipeline["scores"].items() if spec["kind"] == "supervised"}
    for name, spec in supervised.items():
        if pipeline["sources"][spec["from"]]["kind"] == "events" and "population" not in spec:
            score(db, pipeline, name, spec, folder, date.fromisoformat(day))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
