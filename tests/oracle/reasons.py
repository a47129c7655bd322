"""Reasons of churn scores, computed a second time from the published tables and the pipeline file.

Usage: reasons.py PIPELINE VERSION_FOLDER CURRENCY      (needs Python 3.11 and duckdb)

For a sample of customers with a probability: every reason is the sentence of one feature, with the customer's own value and the
median (for labels the most frequent one) of all who have a probability; the stated direction is the side of the base rate on which
the customer is; no reason is given twice. Where a logistic regression is used, the contribution of each feature is computed from the
coefficients and the preparation in `models`: every reason moves the probability in the stated direction, the first more than the
second, the second more than the third, and no feature left out moves it more. Where the recency rule is used, the only reason is
the recency. Exit code 1 on any difference. Shares no code with tessera.
"""

import math
import sys
import tomllib

import duckdb

# The catalogue's labels of its features.
LABELS = {
    "recency_days": "days since the last order", "tenure_days": "days since the first order", "order_count": "orders so far",
    "occasions": "days with an order", "spend_total": "money of all orders so far", "order_value_mean": "mean money of an order",
}
SAMPLE = 100
failures = 0


def fail(what):
    global failures
    failures += 1
    if failures <= 20:
        print("FAIL", what)


def named(name):
    return " ".join(word[:-1] + " days" if word[:-1].isdigit() and word[-1] == "d" else word for word in name.split("_") if word)


def number(x):
    """Whole and with commas from 1,000 on, else at most two decimals."""
    size, sign = abs(x), "-" if x < 0 else ""
    if size >= 999.5:
        return sign + f"{math.floor(size + 0.5):,}"
    if size >= 99.5 or size == math.floor(size):
        return sign + str(math.floor(size + 0.5))
    cents = math.floor(size * 100 + 0.5)
    return f"{sign}{cents // 100}.{cents % 100:02}"


def shown(value):
    return "unknown" if value is None else number(value) if isinstance(value, (int, float)) else str(value)


def sentence(label, own, usual, unit, kind):
    a, b = shown(own), shown(usual)
    if kind == "label":
        return f"{label} is {a}, most often {b}"
    if label.startswith("days since the last ") and own is not None:
        what, s = label.removeprefix("days since the last "), "" if a == "1" else "s"
        if a == "0":
            return f"last {what} today, usually {b} days ago"
        if usual is not None and own < usual:
            return f"last {what} {a} day{s} ago, usually {b}"
        return f"no {what} for {a} day{s}, usually {b}"
    if kind == "count" and a == "0":
        return f"no {label}, usually {b}"
    own_unit = unit if usual is None and own is not None else ""
    return f"{label}: {a}{own_unit}, usually {b}{unit if usual is not None else ''}"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    path, folder, currency = sys.argv[1:]
    with open(path, "rb") as file:
        pipeline = tomllib.load(file)
    db = duckdb.connect()
    table = f"'{folder}/customers.parquet'"
    types = {row[0]: row[1] for row in db.execute(f"describe select * from {table}").fetchall()}
    for name, spec in pipeline["scores"].items():
        if spec["kind"] == "supervised" and "features" in spec:
            score(db, pipeline, name, spec, folder, table, types, currency)
    sys.exit(1 if failures else 0)


def score(db, pipeline, name, spec, folder, table, types, currency):
    living = f"(select * from {table} where {name}_probability is not null)"
    declared = {k: v for k, v in pipeline["features"].items() if isinstance(v, dict)}
    attributes = {k: v for source in pipeline["sources"].values() for k, v in source.get("attributes", {}).items()}
    money = {"spend_total", "order_value_mean"} | {k for k, v in (declared | attributes).items() if v.get("unit") == "currency"}
    label = {f: (declared.get(f) or attributes.get(f) or {}).get("label") or LABELS.get(f) or named(f) for f in spec["features"]}
    texts = {f for f in spec["features"] if types[f] == "VARCHAR"}
    usual = {}
    for f in spec["features"]:
        if f in texts:
            usual[f] = db.execute(f"select {f} from {living} group by 1 order by count(*) desc, {f} nulls first limit 1").fetchone()[0]
        else:
            most, median = db.execute(f"select count({f}) * 2 >= count(*), median({f}) from {living}").fetchone()
            usual[f] = float(median) if most and median is not None else None
    units = dict(db.execute(f"select name, unit from '{folder}/features.parquet'").fetchall())
    kind = {f: "label" if f in texts else units[f] for f in spec["features"]}
    directions = dict(db.execute(f"select name, direction from '{folder}/features.parquet'").fetchall())
    models = {}
    for model, what, value, text in db.execute(f"select model, name, value, text from '{folder}/models.parquet' where score = '{name}'").fetchall():
        models[model, what] = value if text is None else text
    served, base = models["choice", "served"], models["churn", "base_rate"]
    weigh = {"logistic": logistic, "recency_rule": lambda *_: {"recency_days": math.nan}}.get(served)
    columns = ", ".join(spec["features"])
    rows = db.execute(f"""select {name}_probability, {name}_reasons_direction, {name}_reason_1, {name}_reason_2, {name}_reason_3, {columns}
        from {living} order by hash({pipeline['customer']['key']}) limit {SAMPLE}""").fetchall()
    given = 0
    for probability, direction, *rest in rows:
        reasons, values = [r for r in rest[:3] if r is not None], dict(zip(spec["features"], rest[3:]))
        sentences = {f: sentence(label[f], values[f], usual[f], f" {currency}" if f in money else "", kind[f]) for f in values}
        if direction is not None and direction != ("raises" if probability >= base else "lowers"):
            fail(f"{name}: {direction} at {probability}, base rate {base}")
        if (direction is None) != (not reasons) or len(set(reasons)) < len(reasons):
            fail(f"{name}: direction {direction} with reasons {reasons}")
        found = []
        for reason in reasons:
            features = [f for f, text in sentences.items() if text == reason]
            if not features:
                fail(f"{name}: no feature of the customer reads `{reason}`: {sentences}")
            found += features[:1]
        given += len(found)
        for f in found:
            if misleads(directions[f], probability >= base, values[f], usual[f]):
                fail(f"{name}: {f} is {values[f]}, usually {usual[f]}, {directions[f]}, and is said to move churn the other way")
        if weigh is None or len(found) < len(reasons):
            continue
        terms = weigh(models, served, values, usual, texts)
        side = 1 if direction == "raises" else -1
        moved = [side * terms[f] for f in found if f in terms]
        if served == "logistic":
            if any(m < 0.1 - 1e-9 for m in moved) or any(a < b - 1e-9 for a, b in zip(moved, moved[1:])):
                fail(f"{name}: {found} move the log-odds by {moved}")
            importance = {f: models[served, f"importance {f}"] for f in values}
            used = [f for f in values if importance[f] >= 0.02 * max(0, *importance.values()) and sentences_differ(values[f], usual[f])
                    and not misleads(directions[f], probability >= base, values[f], usual[f])]
            rest_of = sorted((side * terms[f] for f in used if f not in found), reverse=True)
            if rest_of and rest_of[0] > (min(moved) if len(found) == 3 else 0.1) + 1e-6:
                fail(f"{name}: {found} are given, and a feature left out moves the log-odds by {rest_of[0]}, these by {moved}")
        elif found != ["recency_days"] * len(found):
            fail(f"{name}: the recency rule is used, and {found} are given")
    print(f"{name}: {served} is used; {given} reasons of {len(rows)} customers")
    if served != "base_rate" and given < len(rows):
        fail(f"{name}: only {given} reasons of {len(rows)} customers")


def misleads(direction, raises, own, usual):
    """Whether a reason says that a good value raises churn, or that a bad one lowers it."""
    if own is None or usual is None or isinstance(own, str) or direction == "none":
        return False
    better = own > usual if direction == "high is good" else own < usual
    return better == raises


def sentences_differ(own, usual):
    return shown(own) != shown(usual)


def logistic(models, served, values, usual, texts):
    """The contribution of each feature to the log-odds compared with the typical customer."""
    transforms = {"none": lambda x: x, "log1p": lambda x: math.log1p(max(x, 0)), "asinh": math.asinh}

    def column(what, x):
        z = (x - models[served, f"mean {what}"]) / models[served, f"deviation {what}"]
        return models[served, f"coefficient {what}"] * z

    def of(feature, value):
        total = 0.0
        if feature in texts:
            levels = [w.removeprefix("coefficient ") for _, w in models if w.startswith(f"coefficient {feature} ")]
            own = f"{feature} is missing" if value is None else f"{feature} = {value}"
            own = own if own in levels else f"{feature} is another"
            return sum(column(level, float(level == own)) for level in levels)
        if (served, f"coefficient {feature}") in models:
            x = models[served, f"median {feature}"] if value is None else value
            total += column(feature, transforms[models[served, f"transform {feature}"]](x))
        if (served, f"coefficient {feature} is missing") in models:
            total += column(f"{feature} is missing", float(value is None))
        return total

    return {f: of(f, values[f]) - of(f, usual[f]) for f in values}


if __name__ == "__main__":
    main()
