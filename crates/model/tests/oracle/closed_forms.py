"""Closed forms of the purchase models in high precision, also at parameters far outside those of real shops.

    python closed_forms.py > ../fixtures/closed_forms.csv

Needs mpmath (1.3.0 gave the committed table). Parameters are drawn log-uniformly from 1e-4 to 1e6, histories up to x = 1,000 and
20 years. BG/NBD and MBG/NBD: P(alive) and expected purchases by integrating over the dropout probability, not by the
hypergeometric function. Pareto/NBD: P(alive), expected purchases, and the discounted residual by integrating over the time of
dropout.
Columns: model, four parameters, x, t_x, T, horizon, P(alive), expected purchases, discounted residual at 0.001 (Pareto/NBD).
"""

import random
import sys

from mpmath import exp, expm1, inf, log, log1p, mp, mpf, quad

mp.dps = 30
DISCOUNT = mpf("0.001")


def cut(function, points):
    """The integral of exp(function) with its largest value taken out: (value, largest)."""
    largest = max(function(point) for point in points)
    return quad(lambda v: exp(function(v) - largest), points), largest


def beta_mean(n, a, b, ratio):
    """Mean of (1 - (1 + p ratio)^-n) / p for p ~ Beta(a, b), in v = logit p."""
    def density(v):
        return -a * log1p(exp(-v)) - b * log1p(exp(v))

    centre = log(a / b)
    wide = (1 / a + 1 / b) ** mpf("0.5")
    turns = {centre + wide * k for k in range(-14, 15, 2)}
    turns |= {centre + s * mpf(2) ** k for s in (-1, 1) for k in range(-3, 8)}
    turns |= {k + at for at in (mpf(0), -log(ratio), -log(n * ratio)) for k in range(-8, 9, 2)}
    turns |= {centre - 80 / a, centre + 80 / b, mpf(-250), mpf(250)}
    low, high = centre - 80 / a - 250, centre + 80 / b + 250
    points = sorted(t for t in turns | {low, high} if low <= t <= high)
    largest = density(centre)

    def gain(v):
        p = 1 / (1 + exp(-v))
        return -expm1(-n * log1p(p * ratio)) / p

    mass = quad(lambda v: exp(density(v) - largest), points)
    return quad(lambda v: exp(density(v) - largest) * gain(v), points) / mass


def bg(r, alpha, a, b, x, t_x, tenure, horizon, extra):
    coins = x + extra
    odds = mpf(0)
    if coins:
        odds = a / (b + coins - 1) * ((alpha + tenure) / (alpha + t_x)) ** (r + x)
    alive = 1 / (1 + odds)
    return alive, alive * beta_mean(r + x, a, b + coins, horizon / (alpha + tenure))


def pareto(r, alpha, s, beta, x, t_x, tenure, horizon):
    n = r + x

    def later(u):
        # Dropout at t_x + e^v, with du = e^v dv.
        return -n * log(alpha + t_x + u) - (s + 1) * log(beta + t_x + u) + log(u)

    top = log(tenure - t_x) if tenure > t_x else None
    odds = mpf(0)
    if top is not None:
        scales = (log((alpha + t_x) / max(n, 1)), log((beta + t_x) / (s + 1)), log(alpha + t_x), log(beta + t_x))
        turns = {k + at for at in scales for k in range(-6, 7, 2)} | {top - k for k in range(0, 30, 3)}
        low = min(min(scales), top) - 80
        points = sorted({t for t in turns if low < t < top} | {low, top})
        value, largest = cut(lambda v: later(exp(v)), points)
        odds = s * value * exp(largest + n * log(alpha + tenure) + s * log(beta + tenure))
    alive = 1 / (1 + odds)
    growth = log1p(horizon / (beta + tenure))
    lasting = growth if s == 1 else -expm1(-(s - 1) * growth) / (s - 1)
    expected = alive * n / (alpha + tenure) * (beta + tenure) * lasting
    z = DISCOUNT * (beta + tenure)
    turns = {k + at for at in (mpf(0), -log(z), -log(s)) for k in range(-6, 7, 2)}
    points = sorted(turns | {mpf(-150), log(120 / z)})
    points = [t for t in points if t <= log(120 / z)]
    value = quad(lambda v: exp(v - z * exp(v) - s * log1p(exp(v))), points)
    return alive, expected, alive * n / (alpha + tenure) * (beta + tenure) * value


def main():
    random.seed(11)
    print("model,first,second,third,fourth,x,t_x,tenure,horizon,p_alive,expected_purchases,residual")
    for place in range(150):
        model = ("bg_nbd", "mbg_nbd", "pareto_nbd")[place % 3]
        # Seven significant digits, so that the printed value is exactly the one that is used.
        own = [float("%.6e" % 10 ** random.uniform(-4, 6)) for _ in range(4)]
        x = random.choice((0, 1, 2, 7, 40, 1000))
        tenure = random.choice((1, 30, 400, 3000, 7300))
        t_x = 0 if x == 0 else max(1, int(tenure * random.random()))
        horizon = random.choice((1, 30, 365, 3650))
        given = [mpf(v) for v in (*own, x, t_x, tenure, horizon)]
        if model == "pareto_nbd":
            out = pareto(*given)
        else:
            out = (*bg(*given, 1 if model == "mbg_nbd" else 0), None)
        texts = ["" if v is None else mp.nstr(v, 17) for v in out]
        print(",".join([model, *map(repr, own), *map(str, (x, t_x, tenure, horizon)), *texts]))
        sys.stdout.flush()


main()
