"""A year of nights: one version a night of a store of 20,000 customers, and what the commands cost after more and more of them.

Usage: nights.py TESSERA FOLDER [NIGHTS]. The lake has two years of orders in monthly files; every night delivers one file with
sixty orders. After the nights 2, 60, 120 and 365 (or the last one) it prints, for `run`, `plan`, `report`, `snapshots` and `path`,
the median CPU seconds of five calls and, where strace is installed, how many files a call opens and how many bytes it reads;
and the disk that the night took. `run` is timed on copies of the store, so that each call is the same night; beside it stands the
same night as the second one of another store, with as many files in the lake: their ratio is what the versions cost. Needs
pyarrow. FOLDER is emptied first; put it on a file system in memory (/dev/shm): on a disk, waiting takes longer than what is measured.
"""
import datetime, json, os, random, shutil, statistics, subprocess, sys

import pyarrow as pa
import pyarrow.parquet as pq

tessera, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
nights = int(sys.argv[3]) if len(sys.argv) > 3 else 365
CUSTOMERS, BEFORE, A_NIGHT, CALLS = 20_000, 730, 60, 5
FIRST = datetime.date(2025, 3, 1)
here = os.path.dirname(os.path.abspath(__file__))
lake, store = f"{folder}/lake", f"{folder}/store"
os.environ["TMPDIR"] = folder
chance = random.Random(7)
number = 0


def deliver(name, days, orders):
    """One file with so many orders on random ones of these days; many are of few customers."""
    global number
    rows = []
    for _ in range(orders):
        number += 1
        who = min(int(chance.paretovariate(0.6)) * 37 % CUSTOMERS, CUSTOMERS - 1) if chance.random() < 0.3 else chance.randrange(CUSTOMERS)
        second = datetime.timedelta(seconds=chance.randrange(86_400))
        day = datetime.datetime.combine(chance.choice(days), datetime.time()) + second
        rows.append((f"C{who:05}", f"O{number:08}", day, round(chance.lognormvariate(3.5, 0.8), 2)))
    rows.sort(key=lambda row: row[2])
    columns = list(zip(*rows))
    types = [pa.string(), pa.string(), pa.timestamp("us"), pa.float64()]
    arrays = [pa.array(column, type) for column, type in zip(columns, types)]
    pq.write_table(pa.table(arrays, ["customer_id", "order_id", "ordered_at", "amount"]), f"{lake}/{name}.parquet")


def history():
    months = {}
    for back in range(BEFORE, 0, -1):
        day = FIRST - datetime.timedelta(days=back)
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    for month, days in months.items():
        deliver(month, days, CUSTOMERS * 12 * len(days) // BEFORE)


def call(*arguments):
    """CPU seconds of a call."""
    child = subprocess.Popen([tessera, *arguments, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{arguments} failed: {said.decode()}")
    return usage.ru_utime + usage.ru_stime


def opened(*arguments):
    """Files that a call opens and bytes that it reads."""
    if not shutil.which("strace"):
        return None
    log = f"{folder}/calls"
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=openat,read,pread64", tessera, *arguments, "--quiet"], check=True, capture_output=True)
    count, size = 0, 0
    for line in open(log):
        result = line.rsplit("= ", 1)[-1].split()[0]
        if not result.isdigit():
            continue
        if "openat(" in line:
            count += 1
        elif "read" in line:
            size += int(result)
    return count, size


def pipeline(command, to=None, *more):
    return [command, f"{here}/nights.toml", "--var", f"lake={lake}", "--var", f"out={to or store}", *more]


def night(at):
    return str(FIRST + datetime.timedelta(days=at - 1))


def disk(path):
    """Bytes of all files, each once however many names it has."""
    seen = {}
    for base, _, files in os.walk(path):
        for file in files:
            state = os.lstat(os.path.join(base, file))
            seen[state.st_ino] = state.st_blocks * 512
    return sum(seen.values())


def measure(at, before):
    """`before`: a copy of the store before this night."""
    copy, other = f"{folder}/copy", f"{folder}/other"
    call(*pipeline("run", other, "--as-of", night(at - 1)))

    def again(store):
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "-a", store, copy], check=True)

    def timed(*arguments, prepare=lambda: None):
        seconds = []
        for _ in range(CALLS):
            prepare()
            seconds.append(call(*arguments))
        prepare()
        return {"cpu_s": round(statistics.median(seconds), 4), "opens_bytes": opened(*arguments)}

    found = {
        "run": timed(*pipeline("run", copy, "--as-of", night(at)), prepare=lambda: again(before)),
        "run as second": timed(*pipeline("run", copy, "--as-of", night(at)), prepare=lambda: again(other)),
        "plan": timed(*pipeline("plan")),
        "report": timed(*pipeline("report", None, "--to", f"{folder}/report.html")),
        "snapshots": timed("snapshots", store),
        "path": timed("path", store),
    }
    shutil.rmtree(copy)
    shutil.rmtree(other)
    return found


def main():
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(lake)
    history()
    marks, size = [mark for mark in (2, 60, 120) if mark < nights] + [nights], {}
    first = None
    for at in range(1, nights + 1):
        deliver(f"night-{night(at)}", [datetime.date.fromisoformat(night(at))], A_NIGHT)
        before = f"{folder}/before"
        if at in marks:
            shutil.rmtree(before, ignore_errors=True)
            subprocess.run(["cp", "-a", store, before], check=True)
        call(*pipeline("run", None, "--as-of", night(at)))
        size[at] = disk(store)
        if at not in marks:
            continue
        found = measure(at, before)
        first = first or found
        for command, row in found.items():
            ratio = round(row["cpu_s"] / first[command]["cpu_s"], 2)
            print(json.dumps({"night": at, "command": command, **row, "to_night_2": ratio}), flush=True)
        shutil.rmtree(before)
        files = {name: os.path.getsize(f"{store}/{name}") for name in ("INDEX", "catalog.parquet", "views/duckdb.sql")}
        print(json.dumps({"night": at, "disk_mb": round(size[at] / 1e6, 1), "kb_of_this_night": round((size[at] - size.get(at - 1, 0)) / 1e3), "bytes": files}), flush=True)


main()
