"""Figures of scikit-learn that the churn tests compare with.

    python churn.py metrics
    python churn.py telco|cdnow|online_retail DATA_FOLDER

Needs numpy, pandas, scikit-learn (1.9.1 gave the committed constants), for `metrics` scipy, for Parquet pyarrow or duckdb.
Writes nothing: prints the constants that `churn_metrics.rs` and `churn_real_data.rs` carry.
"""

import sys

import numpy as np


def metrics():
    import scipy.stats
    from sklearn import metrics as m
    from sklearn.linear_model import LogisticRegression

    i = np.arange(400)
    k = 37 * i % 101 + 1
    p = k / 103
    y = (7919 * i % 1000) * 103 < 600 * k + 10300
    rival = np.full(400, y.mean())
    ranks = scipy.stats.rankdata(p, method="average")
    bins = np.floor(10 * (ranks - 0.5) / len(p)).astype(int)
    ece = sum(
        abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in range(10)
    )
    logit = np.log(p / (1 - p))
    line = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(logit[:, None], y)
    losses = lambda q: -np.where(y, np.log(q), np.log1p(-q))
    gain = losses(rival) - losses(p)
    # Ties at the border of the top tenth: the mean over many random orders among equals tends to this share.
    above, at = p > np.sort(p)[-40], p == np.sort(p)[-40]
    top = (y[above].sum() + y[at].mean() * (40 - above.sum())) / 40
    print("auc", m.roc_auc_score(y, p))
    print("average_precision", m.average_precision_score(y, p))
    print("log_loss", m.log_loss(y, p))
    print("brier", m.brier_score_loss(y, p))
    print("ece", ece)
    print("bin counts", np.bincount(bins), "bin 1", p[bins == 0].mean(), y[bins == 0].mean())
    print("line", line.intercept_[0], line.coef_[0, 0])
    print("gain", gain.mean(), gain.std(ddof=1) / 20)
    print("lift", top / y.mean())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
