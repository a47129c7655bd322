"""Reasons of memberships, compared with the customers' rows.

Usage: membership_reasons.py STORE PIPELINE ROWS      (needs Python 3.11 and duckdb)

Takes ROWS memberships of the newest day, evenly over schemes and segments, and parses the statements of each reason: `feature value`,
`feature value op limit`, `feature is value`, scores, ranks, conditions that a rule needs. Every statement must be true for the
customer's row in `customers`, numbers to the decimals that are shown. A reason of unknown form is a failure. Exit code 1 on any.
"""

import os
import re
import sys
import tomllib

import duckdb

NUMBER = r"-?[\d,]+(?:\.\d+)?"
SAYS = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class Untrue(Exception):
    pass


def expect(fact, what):
    if not fact:
        raise Untrue(what)


def shows(text, value):
    """Whether a text shows a value."""
    if value is None:
        return text == "missing"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text == str(value) or (text, value) == ("''", "")
    if not re.fullmatch(NUMBER, text):
        return False
    decimals = len(text.partition(".")[2])
    # Trailing zeros are left out, so a text with fewer decimals is still exact to two.
    return abs(float(text.replace(",", "")) - value) <= (0.5 if decimals == 0 and abs(value) >= 99.5 else 0.5 * 10 ** -max(decimals, 2)) + 1e-9


class Checker:
    def __init__(self, db, pipeline):
        self.db, self.pipeline = db, pipeline

    def is_true(self, customer, condition):
        key = self.pipeline["customer"]["key"]
        sql = f"select coalesce(({condition}), false) from latest.customers where {key} = ?"
        return self.db.execute(sql, [customer[key]]).fetchone()[0]

    def held(self, customer, part, rule):
        if found := re.fullmatch(rf"(\w+) ({NUMBER}) ([<>]=?) (\S+)", part):
            name, shown, sign, limit = found.groups()
            expect(shows(shown, customer[name]), f"{name} is {customer[name]}")
            expect(SAYS[sign](customer[name], float(limit)), part)
            expect(SAYS[sign](float(shown.replace(",", "")), float(limit)), f"as shown: {part}")
        elif found := re.fullmatch(r"(\w+) is (.*), not (.*)", part):
            name, shown, other = found.groups()
            expect(shows(shown, customer[name]), f"{name} is {customer[name]}")
            expect(f"'{shown}'" != other, part)
        elif found := re.fullmatch(r"(\w+) is null", part):
            name = found[1]
            expect(customer[name] is None, part)
        elif found := re.fullmatch(r"(\w+) is (.*)", part):
            name, shown = found.groups()
            expect(shows(shown, customer[name]), f"{name} is {customer[name]}")
        else:
            raise Untrue(f"not understood: {part}")
        expect(name in rule, f"{name} is not in the rule {rule}")

    def rules(self, scheme, customer, segment, reason):
        rules = scheme["rules"]
        if found := re.fullmatch(r"rule (\d+): (.*)", reason):
            rule = rules[int(found[1]) - 1]
            expect(rule["segment"] == segment, f"rule {found[1]} is of {rule['segment']}")
            expect(self.is_true(customer, rule["when"]), rule["when"])
            for part in found[2].split(" and "):
                self.held(customer, part, rule["when"])
            return
        found = re.fullmatch(r"none of the (\d+) rules is true; nearest is rule (\d+): (.*?) needs (.*)", reason)
        expect(found, "not understood")
        expect(int(found[1]) == len(rules), "number of rules")
        expect(not any(self.is_true(customer, rule["when"]) for rule in rules), "a rule is true")
        rule = rules[int(found[2]) - 1]
        expect(rule["segment"] == found[3], f"rule {found[2]} is of {rule['segment']}")
        for part in re.split(r"(?<=\)) and ", found[4]):
            lacking = re.fullmatch(r"(.*) \(is (.*)\)", part)
            expect(lacking, f"not understood: {part}")
            condition, shown = lacking.groups()
            expect(condition in rule["when"], f"{condition} is not in the rule")
            expect(not self.is_true(customer, condition), f"{condition} is true")
            expect(shows(shown, customer[re.match(r"\w+", condition)[0]]), part)

    def rfm_grid(self, name, scheme, customer, segment, reason):
        inputs = [scheme.get("recency", "recency_days"), scheme.get("frequency", "order_count"), scheme.get("monetary", "spend_total")]
        if reason.startswith("not scored: "):
            missing = [feature for feature in inputs if customer[feature] is None]
            expect(reason == f"not scored: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", "what is missing")
            return
        scores = " ".join(rf"{sign}(\d+) \({feature} ({NUMBER})\)" for sign, feature in zip("RFM", inputs))
        found = re.fullmatch(scores + r" is (.*) in .*", reason)
        expect(found, "not understood")
        for place, (ending, feature) in enumerate(zip("rfm", inputs)):
            expect(int(found[2 * place + 1]) == customer[f"{name}_{ending}"], f"{name}_{ending} is {customer[f'{name}_{ending}']}")
            expect(shows(found[2 * place + 2], customer[feature]), f"{feature} is {customer[feature]}")
        expect(found[7] == segment, "segment")

    def quantile(self, scheme, customer, reason):
        by = scheme["by"]
        if reason == f"{by} is missing":
            expect(customer[by] is None, f"{by} is {customer[by]}")
            return
        found = re.search(rf"by {by}.*\(rank ([\d,]+) of ([\d,]+)\)$", reason)
        expect(found, "not understood")
        sql = f"select count(*) filter ({by} > ?) + 1, count({by}) from latest.customers"
        rank, of = self.db.execute(sql, [customer[by]]).fetchone()
        expect((found[1], found[2]) == (f"{rank:,}", f"{of:,}"), f"rank {rank} of {of}")

    def kmeans(self, customer, segment, reason):
        found = re.fullmatch(r"most like '(.*?)', (?:more than )?[\d.]+ times as far from '.*?': (.*)", reason)
        if not found:
            raise Untrue("not understood")
        expect(found[1] == segment, "segment")
        for part in re.split(r"(?<=\)), ", found[2]):
            said = re.fullmatch(rf"(\w+) ({NUMBER}|missing) \(typical of all ({NUMBER})\)", part)
            expect(said, f"not understood: {part}")
            expect(shows(said[2], customer[said[1]]), f"{said[1]} is {customer[said[1]]}")

    def lifecycle(self, customer, reason):
        found = re.fullmatch(r"lifecycle stage is (.*), (\d[\d,]*) days? since the last activity", reason)
        if not found:
            expect(reason.startswith("no lifecycle stage: ") and customer["lifecycle_stage"] is None, "not understood")
            return
        expect(found[1] == customer["lifecycle_stage"] and shows(found[2], customer["recency_days"]), "stage or days")

    def attribute(self, scheme, customer, reason):
        found = re.fullmatch(r"(\w+) is (.*?)(, which fewer than .* of the customers ha(ve|d when the segments were fitted))?", reason)
        expect(found and found[1] == scheme["by"], "not understood")
        expect(shows(found[2], (customer[found[1]] or "").strip() or None), f"{found[1]} is {customer[found[1]]}")

    def check(self, name, customer, segment, reason):
        scheme = self.pipeline["schemes"][name]
        expect(customer[name] == segment, f"{name} is {customer[name]}")
        match scheme["kind"]:
            case "rules": self.rules(scheme, customer, segment, reason)
            case "rfm_grid": self.rfm_grid(name, scheme, customer, segment, reason)
            case "quantile": self.quantile(scheme, customer, reason)
            case "kmeans": self.kmeans(customer, segment, reason)
            case "lifecycle": self.lifecycle(customer, reason)
            case "attribute": self.attribute(scheme, customer, reason)
            case other: raise Untrue(f"no check of {other}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        pipeline = tomllib.load(file)
    with open(os.path.join(sys.argv[1], "views", "duckdb.sql"), encoding="utf-8") as file:
        views = file.read()
    db = duckdb.connect()
    db.execute(views)
    key = pipeline["customer"]["key"]
    rows = db.execute(f"""
        select scheme, segment, reason, {key} from latest.memberships
        qualify row_number() over (partition by scheme, segment order by hash({key}::varchar || reason)) <= 40
        order by row_number() over (partition by scheme, segment order by hash({key}::varchar || reason)), scheme, segment
        limit ?""", [int(sys.argv[3])]).fetchall()
    checker, failures = Checker(db, pipeline), 0
    for scheme, segment, reason, customer in rows:
        answer = db.execute(f"select * from latest.customers where {key} = ?", [customer])
        names = [column[0] for column in answer.description]
        try:
            checker.check(scheme, dict(zip(names, answer.fetchone())), segment, reason)
        except Untrue as error:
            print(f"FAIL {scheme} / {segment} of {customer}: {reason}: {error}")
            failures += 1
    print(f"{len(rows)} reasons, {failures} failures")
    sys.exit(1 if failures or not rows else 0)


if __name__ == "__main__":
    main()
