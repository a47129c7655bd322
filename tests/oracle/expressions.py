"""Examples of docs/expressions.md compared with DuckDB, for the functions that are defined in the same way there.

Usage: expressions.py docs/expressions.md     (Python 3.11, tests/oracle/requirements.txt)

Expressions that DuckDB does not have or defines differently are left out; each is listed here with the reason.
"""

import re
import sys

import duckdb

OTHERWISE = {
    r"as_of\(\)": "the day of the run",
    r"to_timestamp\(": "takes seconds only",
    r"%F|%T|%b .* Oct|%z": "formats with another name, or instants",
    r"date_diff\('week'": "weeks begin on Mondays here",
    r"^floor\(a / b\)$|^a / b$|a / nullif": "no value or the same; division of integers is checked by the type",
    r"^-a$|^a \+ b$|a \* b|1\.0 / |^exp\(|^power\(|^ln\(|^log10\(|^sqrt\(|^d \+ 1$": "an error there where there is no value here",
    r"null": "the type of a bare null",
    r"cast\(x as (bigint|double|boolean)\)": "rounds, and reads more forms of text",
    r"^cast\(cast\(x as decimal\(12, 2\)\) as bigint\)$": "rounds; here the decimals are cut off, as of floats",
    r"cast\(x as string\)": "floats are written otherwise",
    r"cast\((x|s) as (timestamp|date)\)": "an error there where there is no value here; distances from UTC are kept",
    r"^cast\(to_timestamp": "takes seconds only",
    r"substring\(s, [02], (2|-1)\)": "places before the first, negative lengths",
    r"100\\%": "patterns have no escape there without `escape`",
    r"^upper\(": "one letter has another capital",
    r"^date_trunc\(": "a timestamp there",
    r"round\(x(, 1)?\)": "keeps the type of integers",
    r"^a % b$|^n \+ d$|^least|^greatest|^t |^d |^ceil|^floor|concat\(": "types of the result, or another order of operands",
}


def examples(path):
    inside = False
    for line in open(path, encoding="utf-8"):
        if line.startswith("| Expression | With | Result |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            cells = line.strip().strip("|").replace("\\|", "\0").split("|")
            yield [cell.strip().strip("`").replace("\0", "|") for cell in cells]


def bindings(text):
    parts = []
    for piece in text.split(", "):
        if parts and parts[-1].count("'") % 2 == 1:
            parts[-1] += ", " + piece
        else:
            parts.append(piece)
    return [part.split(" = ", 1) for part in parts if part]


def main():
    checked, wrong = 0, []
    for expression, given, result in examples(sys.argv[1]):
        if any(re.search(pattern, expression) for pattern in OTHERWISE):
            continue
        if "null" in given and "strptime" not in expression:
            continue
        wanted = result
        if expression.startswith("strptime") and "null" in result:
            expression = "try_" + expression
        if "strptime" in expression:
            kind = "timestamp" if "timestamp" in result else "date"
            expression = f"cast({expression} as {kind})"
        columns = ", ".join(f"{value} as {name}" for name, value in bindings(given)) or "1 as one"
        query = f"select cast({expression} as varchar), cast({wanted} as varchar) from (select {columns})"
        try:
            [(found, expected)] = duckdb.sql(query).fetchall()
        except duckdb.Error as error:
            wrong.append(f"{expression} with {given}: {error}")
            continue
        checked += 1
        if found != expected:
            wrong.append(f"{expression} with {given}: DuckDB gives {found}, the document {expected}")
    print(f"{checked} examples, {len(wrong)} differ")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong or checked < 50 else 0)


if __name__ == "__main__":
    main()
