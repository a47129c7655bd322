"""Expected figures of `tests/suite/lifetime_always.rs` and `crates/model/tests/btyd_bounded.rs`, by scipy.

    python lifetime.py

Needs numpy and scipy (1.16 gave the committed constants). Histories come from a linear congruential generator that the tests
compute too; the models are fitted in days by Nelder-Mead on the likelihoods as published. Prints the constants; writes nothing.
"""

import datetime as dt
import math

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

END = dt.date(2026, 6, 30)
HORIZON = 90


class Uniform:
    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return ((self.state >> 11) + 0.5) * 2.0**-53


def customers(seed, count, mean_gap_days, dropout):
    """Lists of days since the first purchase, and days observed. A customer may leave after every purchase."""
    u = Uniform(seed)
    for _ in range(count):
        tenure = 30 + math.floor(u() * 600)
        rate = -math.log(u()) / mean_gap_days
        chance = dropout * u()
        days, time = [0], 0.0
        while u() >= chance:
            time += -math.log(u()) / rate
            if time >= tenure:
                break
            days.append(math.floor(time))
        yield days, tenure


def summaries(histories):
    rows = [(len(set(days)) - 1, days[-1], tenure) for days, tenure in histories]
    return (np.array(column, dtype=float) for column in zip(*rows))


def fit(negative, starts):
    options = dict(maxiter=40000, maxfev=40000, xatol=1e-11, fatol=1e-13)
    found = [minimize(negative, np.log(start), method="Nelder-Mead", options=options) for start in starts]
    best = min(found, key=lambda result: result.fun)
    again = minimize(negative, best.x, method="Nelder-Mead", options=options)
    return np.exp(again.x), -again.fun


def nbd(x, tx, T):
    def negative(theta):
        r, alpha = np.exp(theta)
        return -np.sum(gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T))

    (r, alpha), likelihood = fit(negative, ([1, 30], [0.3, 10]))
    expected = (r + x) / (alpha + T) * HORIZON
    silent = ((alpha + T) / (alpha + T + HORIZON)) ** (r + x)
    print(f"  nbd r {r:.10g} alpha {alpha:.10g} LL {likelihood:.8f} sum of expected {expected.sum():.8f} silent {silent.sum():.8f}")


def mbg(x, tx, T):
    def negative(theta):
        r, alpha, a, b = np.exp(theta)
        return -np.sum(
            gammaln(r + x) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) + gammaln(b + x + 1) - gammaln(b)
            - gammaln(a + b + x + 1)
            + np.logaddexp(-(r + x) * np.log(alpha + T), np.log(a / (b + x)) - (r + x) * np.log(alpha + tx)))

    (r, alpha, a, b), likelihood = fit(negative, ([1, 30, 1, 3], [0.3, 10, 0.5, 1]))
    alive = 1 / (1 + a / (b + x) * ((alpha + T) / (alpha + tx)) ** (r + x))
    z = HORIZON / (alpha + T + HORIZON)
    expected = (a + b + x) / (a - 1) * (1 - (1 - z) ** (r + x) * hyp2f1(r + x, b + x + 1, a + b + x, z)) * alive
    print(f"  mbg_nbd r {r:.8g} alpha {alpha:.8g} a {a:.8g} b {b:.8g} LL {likelihood:.8f} "
          f"sum of expected {expected.sum():.8f} alive {alive.sum():.8f}")
    for place in sorted(np.argsort(-x, kind="stable")[[0, 40, 120, 240, 500]]):
        print(f"    customer {place}: x {x[place]:.0f} t_x {tx[place]:.0f} T {T[place]:.0f} "
              f"alive {alive[place]:.8f} expected {expected[place]:.8f}")


for name, seed, count, gap, dropout in (("dropout", 1, 800, 20.0, 1.0), ("hardly any", 4, 900, 60.0, 0.0), ("none", 8, 900, 60.0, 0.0)):
    x, tx, T = summaries(customers(seed, count, gap, dropout))
    print(f"{name}: seed {seed}, {count} customers, {np.sum(x > 0)} with a repeat purchase, {x.sum():.0f} repeat occasions")
    nbd(x, tx, T)
    mbg(x, tx, T)
