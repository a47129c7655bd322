"""Compares Cargo.lock with the RustSec advisories. Fails where a version that is used has a vulnerability or is unsound, unless
KNOWN says why that is accepted; crates without a maintainer are named. Needs the database: a clone of
https://github.com/rustsec/advisory-db, named by TESSERA_ADVISORY_DB. Without one it says so and succeeds, because the gate must
work where only package registries can be reached."""

import os
import pathlib
import re
import sys
import tomllib

# Advisories that are accepted, each with the reason.
XML = "object_store, which polars brings, reads answers of cloud storage with it; the program reads local files only"
KNOWN = {"RUSTSEC-2026-0194": XML, "RUSTSEC-2026-0195": XML}

TOP = pathlib.Path(__file__).resolve().parent.parent
FRONT = re.compile(r"^```toml\n(.*?)^```", re.S | re.M)


def version(text):
    """Numbers, then whether it is a release, then the parts of a pre-release: in the order of semantic versions.

    >>> version("1.9.0") < version("1.10.0-rc.2") < version("1.10.0-rc.10") < version("1.10.0")
    True
    """
    core, _, pre = text.split("+")[0].partition("-")
    numbers = [int(n) for n in core.split(".")]
    numbers += [0] * (3 - len(numbers))
    parts = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".") if p]
    return (numbers, not pre, parts)


def meets(found, requirement):
    """Whether a version meets a requirement as Cargo writes them, such as `>= 1.2.3, < 2`.

    >>> [meets(version(v), ">= 1.2.3, < 2") for v in ("1.2.2", "1.2.3", "1.30.0", "2.0.0")]
    [False, True, True, False]
    >>> [meets(version(v), "^0.3.1") for v in ("0.3.0", "0.3.1", "0.3.9", "0.4.0")]
    [False, True, True, False]
    >>> [meets(version(v), "~1.2") for v in ("1.1.9", "1.2.7", "1.3.0")]
    [False, True, False]
    >>> [meets(version(v), "1") for v in ("0.9.0", "1.9.0", "2.0.0")]
    [False, True, False]
    """
    for part in requirement.split(","):
        operator, text = re.fullmatch(r"\s*(\^|~|>=|<=|>|<|=)?\s*(\S+)\s*", part).groups()
        if text == "*":
            continue
        wanted = version(text)
        above = list(wanted[0])
        if operator in (None, "^", "~"):
            given = len(text.split("-")[0].split("."))
            place = min(1, given - 1) if operator == "~" else next((i for i, n in enumerate(above) if n), given - 1)
            above = [n + (i == place) if i <= place else 0 for i, n in enumerate(above)]
            if not wanted <= found < (above, False, []):
                return False
        elif not {">=": found >= wanted, "<=": found <= wanted, ">": found > wanted, "<": found < wanted, "=": found == wanted}[operator]:
            return False
    return True


def concerns(advisory, used):
    safe = advisory["versions"].get("patched", []) + advisory["versions"].get("unaffected", [])
    return not any(meets(version(used), requirement) for requirement in safe)


def main():
    database = os.environ.get("TESSERA_ADVISORY_DB")
    if not database:
        print("not checked: TESSERA_ADVISORY_DB names no clone of https://github.com/rustsec/advisory-db")
        return 0
    folder = pathlib.Path(database, "crates")
    if not folder.is_dir():
        print(f"{database} is no advisory database: it has no folder `crates`")
        return 1
    packages = tomllib.loads((TOP / "Cargo.lock").read_text())["package"]
    used = [(p["name"], p["version"]) for p in packages if "source" in p]
    failed, read, met = False, 0, set()
    for name, number in used:
        for file in sorted(folder.glob(f"{name}/RUSTSEC-*.md")):
            text = file.read_text()
            advisory = tomllib.loads(FRONT.search(text)[1])
            about = advisory["advisory"]
            read += 1
            if "withdrawn" in about or not concerns(advisory, number):
                continue
            title = re.search(r"^# (.*)", text, re.M)[1]
            reason = KNOWN.get(about["id"])
            met.add(about["id"])
            kind = about.get("informational", "vulnerability")
            accepted = f"; accepted: {reason}" if reason else ""
            print(f"{about['id']} ({kind}) {name} {number}: {title}{accepted}")
            failed |= kind in ("vulnerability", "unsound") and not reason
    for stale in KNOWN.keys() - met:
        print(f"{stale} is in KNOWN and concerns no version in Cargo.lock")
        failed = True
    print(f"{len(used)} packages, {read} advisories about their names, {len(met)} about the versions used")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
