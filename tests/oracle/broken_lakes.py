"""Generated broken lakes: `check` and `run` must agree.

Usage: broken_lakes.py TESSERA [--count 500] [--seed 1] [--only SEED] [--kind NAME] [--keep DIR]

What `run` rejects, `check` rejects with the same exit code and the same errors; what `check` accepts, `run` publishes, or it fails
for a reason that only reading all rows shows (exit code 3). A broken record may be quarantined where `check` warns about it. One
mistake gives one message, which names its place. The folders of failing seeds are kept. The exit code is 1 if one failed.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from broken_kinds import KINDS, Bench

AS_OF = "2026-05-31"
JARGON = re.compile(r"polars|SchemaMismatch|DataFrame|LogicalPlan|ComputeError|ParquetError|ArrowError|panicked|RUST_BACKTRACE|internal|PlSmallStr|"
                    r"Os \{|serde|toml_edit|simdutf", re.I)
LOG = re.compile(r"^\d{4}-\d\d-\d\dT")


def errors(said):
    """The errors of a run in order, without log lines, warnings and the summary."""
    blocks, current = [], None
    for line in said.splitlines():
        if LOG.match(line) or line.startswith("summary: "):
            continue
        if line.startswith("error"):
            current = [line]
            blocks.append(current)
        elif line.startswith("warning") or re.match(r"\S+: \d+ (errors?|warnings?)", line):
            current = None
        elif current is not None and line.strip():
            current.append(line)
    return ["\n".join(block) for block in blocks]


def execute(tessera, folder, *arguments):
    return subprocess.run([tessera, *arguments], cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)


def try_seed(tessera, seed, name, folder):
    """The kind of result, and the problems found."""
    bench = Bench(seed, folder)
    words = KINDS[name](bench)
    bench.write()
    check = execute(tessera, folder, "check", "pipeline.toml")
    run = execute(tessera, folder, "run", "pipeline.toml", "--as-of", AS_OF)
    with open(os.path.join(folder, "said.txt"), "w", encoding="utf-8") as file:
        file.write(f"== check: {check.returncode}\n{check.stdout}{check.stderr}\n== run: {run.returncode}\n{run.stdout}{run.stderr}\n")
    return judge(name, words, check, run, os.path.exists(os.path.join(folder, "store")))


def judge(name, words, check, run, store):
    said = errors(check.stderr), errors(run.stderr)
    problems = []
    for command, ended in (("check", check), ("run", run)):
        if ended.returncode not in (0, 2, 3, 4):
            problems.append(f"{command} ended with {ended.returncode}: {ended.stderr}")
        if ended.returncode and (jargon := JARGON.search("\n".join(errors(ended.stderr)))):
            problems.append(f"{command} says `{jargon[0]}`: {ended.stderr}")
        if ended.returncode and not errors(ended.stderr):
            problems.append(f"{command} refuses and gives no error: {ended.stderr}")
    if check.returncode == 0:
        warned = [line for line in check.stderr.splitlines() if line.startswith("warning") and any(word in line for word in words or [])]
        if words and not warned:
            problems.append(f"check accepts it (run: exit {run.returncode}, {' '.join(said[1])[:400]})")
        elif run.returncode not in (0, 3):
            problems.append(f"check accepts what run refuses with {run.returncode}: {' '.join(said[1])}")
        elif run.returncode == 3 and words == []:
            problems.append(f"run refuses what check accepts: {' '.join(said[1])}")
        return ("published" if run.returncode == 0 else "stopped by its rows"), problems
    if run.returncode == 0:
        problems.append(f"run publishes what check refuses: {' '.join(said[0])[:600]}")
    elif (check.returncode, said[0]) != (run.returncode, said[1]):
        problems.append(f"check ({check.returncode}) and run ({run.returncode}) differ:\n{chr(10).join(said[0])}\n-- run:\n{chr(10).join(said[1])}")
    if name == "good":
        problems.append(f"refused: {check.stderr}")
    if words and not any(word in check.stderr for word in words):
        problems.append(f"the message names none of {words}: {check.stderr}")
    if len(said[0]) > 1:
        problems.append(f"one mistake, {len(said[0])} messages:\n{chr(10).join(said[0])}")
    return "refused", problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tessera")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--kind", choices=sorted(KINDS))
    parser.add_argument("--keep", default=os.path.join(tempfile.gettempdir(), "tessera-broken"))
    arguments = parser.parse_args()
    tessera, names = os.path.abspath(arguments.tessera), list(KINDS)
    seeds = [arguments.only] if arguments.only is not None else range(arguments.seed, arguments.seed + arguments.count)
    ends, failed, began = collections.Counter(), collections.defaultdict(list), time.monotonic()
    for seed in seeds:
        name = arguments.kind or names[seed % len(names)]
        folder = os.path.join(arguments.keep, str(seed))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        end, problems = try_seed(tessera, seed, name, folder)
        ends[end] += 1
        if problems:
            failed[name].append(seed)
            print(f"seed {seed}: {name}: {end}: {problems[0].strip()[:1500]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
            print(f"  again: python tests/oracle/broken_lakes.py {arguments.tessera} --only {seed}    kept: {folder}")
        elif arguments.only is None:
            shutil.rmtree(folder)
    count = sum(map(len, failed.values()))
    print(f"{sum(ends.values())} lakes in {time.monotonic() - began:.0f} s: {dict(ends)}; {count} failed: {dict(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
