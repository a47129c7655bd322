"""tessera beside polars and DuckDB + scikit-learn from Python: the same work on the same files, in turn.

Usage: run.py TESSERA PEERS LAKE OUT [RUNS]. Prints the median wall seconds and peak memory of each side and the median of
the ratios, pair by pair: of tessera's whole run (start, published snapshot and report included) and of its stages that do
what the peer's clock measures. Machines are noisy: quote ratios.
"""
import json, os, resource, shutil, statistics, subprocess, sys, time

tessera, peers, lake, out = sys.argv[1:5]
runs = int(sys.argv[5]) if len(sys.argv) > 5 else 5
here = os.path.dirname(os.path.abspath(__file__))


def measured(command):
    """Wall seconds and peak memory (GB) of a command, and what it printed last."""
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
    return time.time() - started, usage.ru_maxrss / 1e6, text.strip().splitlines()


def ours(name):
    shutil.rmtree(f"{out}/{name}", ignore_errors=True)
    return measured([tessera, "run", f"{here}/{name}.toml", "--as-of", "2026-10-31", "--var", f"lake={lake}", "--var", f"out={out}", "--log-format", "json"])


def stages(lines, wanted):
    """Seconds of the stages whose names begin so."""
    done = [json.loads(line) for line in lines if line.startswith("{")]
    return sum(line["elapsed_ms"] for line in done if line.get("stage", "").startswith(wanted)) / 1000


def stage(name, wanted, peer, peer_seconds):
    mine, theirs, ratios, alike = [], [], [], []
    for number in range(runs + 1):
        a, b = ours(name), measured(peer)
        seconds = peer_seconds(b)
        if number:  # the first pair only warms the cache
            mine.append(a)
            theirs.append((seconds, b[1]))
            ratios.append(a[0] / seconds)
            alike.append((stages(a[2], wanted), stages(a[2], wanted) / seconds))
    m = lambda values: round(statistics.median(values), 2)
    print(json.dumps({
        "work": name, "runs": runs,
        "tessera_s": m([x[0] for x in mine]), "tessera_gb": m([x[1] for x in mine]),
        "peer_s": m([x[0] for x in theirs]), "peer_gb": m([x[1] for x in theirs]),
        "ratio": m(ratios), "tessera_same_steps_s": m([x[0] for x in alike]), "ratio_same_steps": m([x[1] for x in alike]),
    }), flush=True)


python = sys.executable
# The peer's own clock: without the start of Python and its imports, which tessera does not have either.
stage("features", ("read", "compute"), [python, f"{peers}/polars_features.py", lake], lambda b: json.loads(b[2][-1])["features"])
steps = lambda b: sum(json.loads(b[2][-1])[key] for key in ("features", "kmeans", "write"))
stage("kmeans", ("read", "compute", "assign", "profile", "publish"), [python, f"{peers}/duckdb_sklearn.py", lake, f"{out}/peer.parquet"], steps)
