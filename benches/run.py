"""tessera beside polars, DuckDB, chDB and scikit-learn from Python: the same work on the same files, in turn.

Usage: run.py TESSERA PEERS LAKE OUT [RUNS [WORK...]]. WORK names the works to run; all by default. For each of them it prints the
median wall and CPU seconds and peak memory of each side, and the median of the ratios, pair by pair: of tessera's whole run
(start, published snapshot and report included) and of its stages that do what the peer's clock measures. Machines are noisy:
quote ratios.
"""
import json, os, shutil, statistics, subprocess, sys, time

tessera, peers, lake, out = sys.argv[1:5]
runs = int(sys.argv[5]) if len(sys.argv) > 5 else 5
chosen = sys.argv[6:]
here = os.path.dirname(os.path.abspath(__file__))
python = sys.executable
DAY, DAY_BEFORE = "2026-10-31", "2026-10-30"


def measured(command):
    """Wall and CPU seconds and peak memory (GB) of a command, and the lines that it printed."""
    read, write = os.pipe()
    started = time.time()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        if "--log-format" in command:
            os.dup2(write, 2)
        os.close(read)
        os.execvp(command[0], command)
    os.close(write)
    text = os.fdopen(read).read()
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{command} failed: {text}")
    return {
        "wall": time.time() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "gb": usage.ru_maxrss / 1e6,
        "lines": text.strip().splitlines(),
    }


def ours(pipeline, day=DAY, new_store=True):
    if new_store:
        shutil.rmtree(f"{out}/{pipeline}", ignore_errors=True)
    return measured([tessera, "run", f"{here}/{pipeline}.toml", "--as-of", day, "--var", f"lake={lake}", "--var", f"out={out}", "--log-format", "json"])


made = set()


def ordinary_night(pipeline):
    """A run one day after a version whose models it applies. Every run begins with the same store."""
    kept = f"{out}/{pipeline}-before"
    if kept not in made:
        # One of another program would have its models fitted again.
        shutil.rmtree(kept, ignore_errors=True)
        made.add(kept)
        ours(pipeline, DAY_BEFORE)
        shutil.copytree(f"{out}/{pipeline}", kept, symlinks=True)
    shutil.rmtree(f"{out}/{pipeline}", ignore_errors=True)
    shutil.copytree(kept, f"{out}/{pipeline}", symlinks=True)
    return ours(pipeline, new_store=False)


def stages(run, wanted):
    """Seconds of the stages whose names begin so; None stands for the whole run."""
    if wanted is None:
        return run["wall"]
    done = [json.loads(line) for line in run["lines"] if line.startswith("{")]
    return sum(line["elapsed_ms"] for line in done if line.get("stage", "").startswith(wanted)) / 1000


def compare(work, run, wanted, peer, peer_seconds):
    """`peer_seconds` are those of the peer's own clock: without the start of Python and its imports, which tessera does not have."""
    if chosen and work not in chosen:
        return
    mine, theirs = [], []
    for number in range(runs + 1):
        a, b = run(), measured(peer)
        if number:  # the first pair only warms the cache
            a["same"], b["own"] = stages(a, wanted), peer_seconds(b["lines"])
            mine.append(a)
            theirs.append(b)
    m = lambda rows, key: round(statistics.median(row[key] for row in rows), 2)
    ratio = lambda key: round(statistics.median(a[key] / b["own"] for a, b in zip(mine, theirs)), 2)
    print(json.dumps({
        "work": work, "runs": runs,
        "tessera_s": m(mine, "wall"), "tessera_cpu_s": m(mine, "cpu"), "tessera_gb": m(mine, "gb"),
        "peer_s": m(theirs, "own"), "peer_cpu_s": m(theirs, "cpu"), "peer_gb": m(theirs, "gb"),
        "ratio": ratio("wall"), "tessera_same_steps_s": m(mine, "same"), "ratio_same_steps": ratio("same"),
    }), flush=True)


def has(module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def timed(*names):
    return lambda lines: sum(json.loads(lines[-1])[name] for name in names)


FEATURES = ("read", "compute")
JOB = [python, f"{peers}/duckdb_sklearn.py", lake, f"{out}/peer.parquet"]
features = lambda: ours("features")
# Bare scan of three columns: the least that any program must do.
compare("features / scan of DuckDB", features, FEATURES, [python, f"{peers}/duckdb_floor.py", lake], lambda lines: float(lines[0].split()[-1]))
compare("features / polars", features, FEATURES, [python, f"{peers}/polars_features.py", lake], timed("features"))
if has("chdb"):
    compare("features / chDB", features, FEATURES, [python, f"{here}/chdb_features.py", lake], timed("features"))
else:
    print("skipped: features / chDB (pip install chdb)", file=sys.stderr)
compare("kmeans / DuckDB, scikit-learn", lambda: ours("kmeans"), FEATURES + ("assign", "profile", "publish"), JOB, timed("features", "kmeans", "write"))
compare("whole / DuckDB, scikit-learn", lambda: ours("whole"), None, JOB, timed("total"))
compare("whole, model of the night before / DuckDB, scikit-learn", lambda: ordinary_night("whole"), None, JOB, timed("total"))
