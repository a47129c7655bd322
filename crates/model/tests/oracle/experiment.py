"""The readout of an experiment with three groups, computed with scipy and by least squares.

    python experiment.py > ../fixtures/experiment.csv

Needs numpy and scipy (1.17.1 gave the committed table). The groups are made by whole numbers, as in `experiment_published.rs`.
Adjusted figures: the slope comes from a regression of the metric on the groups and the metric before, not from sums within groups.
The relative interval comes from the numerical gradient of the ratio of two means. Columns: case (`measured`, or `adjusted` by the
metric before), group, figure, value.
"""

import numpy as np
from scipy import stats

SIZES = [80, 130, 60]
EFFECTS = [0.0, 0.8, -0.1]


def group(g):
    i = np.arange(SIZES[g])
    before = ((i * 37 + 11 * g) % 101) / 10
    noise = ((i * i * 13 + i * 7 + 5 * g) % 97) / 20
    values = 2 + before * 0.6 + noise + EFFECTS[g]
    before[i % 9 == 4] = np.nan
    return values, before


def adjusted(groups):
    known = np.concatenate([before for _, before in groups])
    centre = np.nanmean(known)
    x = np.where(np.isnan(known), centre, known)
    y = np.concatenate([values for values, _ in groups])
    of = np.repeat(np.arange(len(groups)), SIZES)
    dummies = (of[:, None] == np.arange(len(groups))).astype(float)
    slope = np.linalg.lstsq(np.column_stack([dummies, x]), y, rcond=None)[0][-1]
    residual = lambda v: v - dummies @ np.linalg.lstsq(dummies, v, rcond=None)[0]
    print(f"adjusted,0,correlation,{float(stats.pearsonr(residual(x), residual(y)).statistic)!r}")
    flat = y - slope * (x - centre)
    stretch = (len(y) - len(groups)) / (len(y) - len(groups) - 1)
    return [(flat[of == g].mean(), flat[of == g].var(ddof=1) * stretch) for g in range(len(groups))]


def anytime(error, customers, alpha, tuned_for=5000):
    """Equation 9 of Waudby-Smith et al. as GrowthBook writes it, with the variance of one observation."""
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / tuned_for)
    n = customers
    return np.sqrt(error * n) * np.sqrt(2 * (n * rho**2 + 1) * np.log(np.sqrt(n * rho**2 + 1) / alpha) / (n * rho) ** 2)


def compare(case, moments):
    (m_c, v_c), n_c = moments[0], SIZES[0]
    for g in (1, 2):
        (m, v), n = moments[g], SIZES[g]
        test = stats.ttest_ind_from_stats(m, np.sqrt(v), n, m_c, np.sqrt(v_c), n_c, equal_var=False)
        error = v / n + v_c / n_c
        freedom = error**2 / ((v / n) ** 2 / (n - 1) + (v_c / n_c) ** 2 / (n_c - 1))
        t = stats.t.ppf(0.975, freedom)
        share = lambda means: means[0] / means[1] - 1
        step = 1e-6
        gradient = [(share((m + step, m_c)) - share((m - step, m_c))) / (2 * step),
                    (share((m, m_c + step)) - share((m, m_c - step))) / (2 * step)]
        relative = np.sqrt(gradient[0] ** 2 * v / n + gradient[1] ** 2 * v_c / n_c)
        width = anytime(error, n + n_c, 0.05 / 2)
        figures = {
            "difference": m - m_c,
            "difference_low": m - m_c - t * np.sqrt(error),
            "difference_high": m - m_c + t * np.sqrt(error),
            "relative": m / m_c - 1,
            "low": m / m_c - 1 - t * relative,
            "high": m / m_c - 1 + t * relative,
            "anytime_low": m - m_c - width,
            "anytime_high": m - m_c + width,
            "p": test.pvalue,
            "smallest_effect": (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * np.sqrt(error),
        }
        for name, value in figures.items():
            print(f"{case},{g},{name},{float(value)!r}")


groups = [group(g) for g in range(3)]
measured = [(values.mean(), values.var(ddof=1)) for values, _ in groups]
for g, (mean, variance) in enumerate(measured):
    print(f"measured,{g},mean,{float(mean)!r}")
    print(f"measured,{g},std,{float(np.sqrt(variance))!r}")
compare("measured", measured)
flat = adjusted(groups)
for g, (mean, _) in enumerate(flat):
    print(f"adjusted,{g},mean,{float(mean)!r}")
compare("adjusted", flat)
