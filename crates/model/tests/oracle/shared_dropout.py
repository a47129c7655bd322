"""Expected values of `tests/btyd_shared_dropout.rs` and of `tests/suite/lifetime_always.rs` where all customers share one
dropout probability, by scipy.

    python shared_dropout.py

Needs numpy and scipy (1.16 gave the committed constants). Histories: seed 8 of a linear congruential generator that the
tests also implement, 900 customers, purchases at exponential gaps, rates exponential with mean one in ten days, dropout with
probability 0.05 after every purchase. Fitted in days by Nelder-Mead: r, alpha, p; and r, alpha, a, b, whose likelihood rises
towards that of the first as a and b grow together. Standard errors from the Hessian by central differences in ln r, ln alpha,
logit p. Prints the constants; writes no files.
"""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

HORIZON = 90


class Uniform:
    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return ((self.state >> 11) + 0.5) * 2.0**-53


def customers(seed, count, mean_gap_days, p):
    u = Uniform(seed)
    for _ in range(count):
        tenure = 30 + math.floor(u() * 600)
        rate = -math.log(u()) / mean_gap_days
        u()
        days, time = [0], 0.0
        while u() >= p:
            time += -math.log(u()) / rate
            if time >= tenure:
                break
            days.append(math.floor(time))
        yield len(set(days)) - 1, days[-1], tenure


def fit(negative, start):
    options = dict(maxiter=40000, maxfev=40000, xatol=1e-11, fatol=1e-13)
    theta = start
    for _ in range(3):
        theta = minimize(negative, theta, method="Nelder-Mead", options=options).x
    return theta, -negative(theta)


def hessian(f, at, step=1e-3):
    n = len(at)
    moved = lambda i, j, a, b: f(at + step * (a * np.eye(n)[i] + b * np.eye(n)[j]))
    four = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    return np.array([[sum(s * moved(i, j, a, b) for a, b, s in four) / (4 * step**2) for j in range(n)] for i in range(n)])


x, tx, T = (np.array(column, dtype=float) for column in zip(*customers(8, 900, 10.0, 0.05)))
print(f"{np.sum(x > 0)} customers with a repeat purchase, {x.sum():.0f} repeat occasions")
for model, extra in (("mbg_nbd", 1), ("bg_nbd", 0)):
    coins = x + extra

    def shared(theta):
        r, alpha = np.exp(theta[:2])
        gone, stayed = -np.logaddexp(0, -theta[2]), -np.logaddexp(0, theta[2])
        dead = np.where(coins > 0, gone - stayed, -np.inf) - (r + x) * np.log(alpha + tx)
        return -np.sum(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + coins * stayed
                       + np.logaddexp(-(r + x) * np.log(alpha + T), dead))

    def spread(theta):
        r, alpha, a, b = np.exp(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            dead = np.where(coins > 0, np.log(a / (b + coins - 1)), -np.inf) - (r + x) * np.log(alpha + tx)
        return -np.sum(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) + gammaln(b + coins) - gammaln(b)
                       - gammaln(a + b + coins) + np.logaddexp(-(r + x) * np.log(alpha + T), dead))

    theta, likelihood = fit(shared, np.array([0.0, 3.0, -3.0]))
    r, alpha = np.exp(theta[:2])
    p = 1 / (1 + math.exp(-theta[2]))
    errors = np.sqrt(np.diag(np.linalg.inv(hessian(shared, theta)))) * (r, alpha, p * (1 - p))
    alive = 1 / (1 + np.where(coins > 0, p / (1 - p), 0) * ((alpha + T) / (alpha + tx)) ** (r + x))
    expected = -alive * np.expm1(-(r + x) * np.log1p(p * HORIZON / (alpha + T))) / p
    print(f"{model} r {r:.9g} alpha {alpha:.9g} p {p:.9g} errors {errors} LL {likelihood:.8f}")
    print(f"  alive {alive.sum():.8f} expected {expected.sum():.8f}")
    for place in sorted(np.argsort(alive, kind="stable")[[480, 520, 560, 640]]):
        print(f"  customer {place}: x {x[place]:.0f} t_x {tx[place]:.0f} T {T[place]:.0f} "
              f"alive {alive[place]:.8f} expected {expected[place]:.8f}")
    theta, likelihood = fit(spread, np.log([r, alpha, 20 * p, 20]))
    print(f"  with a and b free: {np.exp(theta)} LL {likelihood:.8f}")
