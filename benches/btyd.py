"""Fits the columns that `btyd_scale --write` left, here and with lifetimes, in turn; prints medians and ratios.

usage: btyd.py BTYD_SCALE FOLDER RUNS
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter

warnings.filterwarnings("ignore")
binary, folder, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])


def column(name, kind):
    return np.fromfile(os.path.join(folder, name), dtype=kind).astype(float)


x, t_x = column("x.u32", "<u4"), column("t_x.f64", "<f8")
tenure, spend = column("tenure.f64", "<f8"), column("mean_spend.f64", "<f8")
customers = pd.DataFrame({"x": x, "t": t_x, "T": tenure})


def clock(work):
    """Seconds of wall clock and of processor, and what `work` returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def lifetimes_fits():
    """Stage -> (wall, cpu, fitter or groups); a fitter that does not converge says so and has its time taken all the same."""
    out = {}
    *times, groups = clock(lambda: customers.groupby(["x", "t", "T"]).size().reset_index(name="w"))
    out["group"] = (*times, f"{len(groups)} distinct histories")
    for name, model in [("bg_nbd", BetaGeoFitter), ("mbg_nbd", ModifiedBetaGeoFitter)]:

        def fit():
            try:
                return dict(model().fit(groups.x, groups.t, groups["T"], weights=groups.w).params_)
            except Exception as error:  # lifetimes raises ConvergenceError, a plain Exception
                return f"not fitted: {str(error).splitlines()[0][:60]}"

        out[name] = clock(fit)
    repeat = x > 0

    def fit_spend():
        try:
            return dict(GammaGammaFitter().fit(x[repeat], spend[repeat]).params_)
        except Exception as error:
            return f"not fitted: {str(error).splitlines()[0][:60]}"

    out["gamma_gamma"] = clock(fit_spend)
    return out


def our_fits():
    """Stage -> (wall, cpu)."""
    text = subprocess.run([binary, "--fits", "1", str(len(x))], capture_output=True, text=True, check=True).stdout
    names = {"group": "group", "fit bg_nbd": "bg_nbd", "fit mbg_nbd": "mbg_nbd", "group and fit gamma_gamma": "gamma_gamma"}
    out = {}
    for stage, wall, cpu in re.findall(r"^ *\d+  (.+?) +([\d.]+) s wall +([\d.]+) s cpu", text, re.M):
        out[names[stage]] = (float(wall), float(cpu), "")
    for name, parameters in re.findall(r"^(\w+) \[(.+?)\]", text, re.M):
        out[name] = (*out[name][:2], parameters)
    return out


taken = {"tessera": [], "lifetimes": []}
for run in range(runs):
    taken["tessera"].append(our_fits())
    taken["lifetimes"].append(lifetimes_fits())
    print(f"run {run + 1} of {runs}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)

print(f"{len(x)} customers; median seconds of {runs} runs, wall (processor)")
print(f"{'stage':<14}{'tessera':>20}{'lifetimes':>20}   tessera / lifetimes, wall (processor)")
medians = {}
for stage in ["group", "mbg_nbd", "gamma_gamma", "bg_nbd"]:
    for who in taken:
        medians[who, stage] = [statistics.median(run[stage][k] for run in taken[who]) for k in (0, 1)]
for label, ours, theirs in [
    ("group", ["group"], ["group"]),
    ("mbg_nbd", ["mbg_nbd"], ["mbg_nbd"]),
    ("bg_nbd", ["bg_nbd"], ["bg_nbd"]),
    ("gamma_gamma", ["gamma_gamma"], ["gamma_gamma"]),
    # The target: both our models, grouping included, beside the one weighted fit of lifetimes alone.
    ("mbg+gg : bg", ["group", "mbg_nbd", "gamma_gamma"], ["bg_nbd"]),
    ("mbg+gg : both", ["group", "mbg_nbd", "gamma_gamma"], ["group", "mbg_nbd", "gamma_gamma"]),
]:
    a = [sum(medians["tessera", s][k] for s in ours) for k in (0, 1)]
    b = [sum(medians["lifetimes", s][k] for s in theirs) for k in (0, 1)]
    mine, peer = (f"{v[0]:.2f} ({v[1]:.2f})" for v in (a, b))
    print(f"{label:<14}{mine:>20}{peer:>20}   {a[0] / b[0]:.3f} ({a[1] / b[1]:.3f})")
for who in taken:
    for stage in ["group", "bg_nbd", "mbg_nbd", "gamma_gamma"]:
        if taken[who][-1][stage][2]:
            print(f"{who:<10}{stage:<12}{taken[who][-1][stage][2]}")
print(f"peak memory of Python {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
