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


def mix(value):
    """The finaliser of splitmix64 over an array of uint64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def folds(customer, seed=0):
    """0 train, 1 calibration, 2 test, as `Fold::of`."""
    with np.errstate(over="ignore"):
        scattered = mix(customer.astype(np.uint64) ^ mix(np.array([seed], np.uint64)))
    share = (scattered >> np.uint64(11)).astype(float) / 2.0**53
    return np.where(share < 0.6, 0, np.where(share < 0.8, 1, 2))


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def ece(p, y):
    import scipy.stats

    bins = np.floor(10 * (scipy.stats.rankdata(p) - 0.5) / len(p)).astype(int)
    return sum(
        abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    )


def judge(numbers, labels, y, train, test):
    """Three models of scikit-learn, fitted on `train`, judged on `test` (masks). `numbers`, `labels`: data frames."""
    import pandas as pd
    from sklearn import metrics as m
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.preprocessing import StandardScaler

    numbers = numbers.copy()
    for column in numbers:
        values = numbers.loc[train, column]
        # The rule of our own preparation: scikit-learn's models get the same transforms.
        if values.skew() > 4 and values.min() >= 0:
            numbers[column] = np.log1p(numbers[column].clip(lower=0))
        numbers[column] = numbers[column].fillna(numbers.loc[train, column].median())
    features = pd.concat([numbers, pd.get_dummies(labels, dtype=float)], axis=1) if len(labels.columns) else numbers
    scaled = StandardScaler().fit(features[train])
    x, x_test = scaled.transform(features[train]), scaled.transform(features[test])
    y, y_test = y[train], y[test]
    print(f"train {len(y)} churned {y.sum()}, test {len(y_test)} churned {y_test.sum()}")
    models = {
        "logistic": LogisticRegression(max_iter=10_000, tol=1e-8),
        "random_forest": RandomForestClassifier(500, min_samples_leaf=10, random_state=0, n_jobs=2),
        "gradient_boosting": GradientBoostingClassifier(random_state=0),
        "gradient_boosting_tuned": GridSearchCV(
            HistGradientBoostingClassifier(random_state=0, early_stopping=False),
            {"learning_rate": [0.03, 0.1], "max_iter": [50, 150], "max_leaf_nodes": [4, 15]},
            scoring="neg_log_loss",
            cv=KFold(4),
        ),
    }
    for name, model in models.items():
        p = model.fit(x, y).predict_proba(x_test)[:, 1]
        print(f"{name}: auc {m.roc_auc_score(y_test, p):.6f} log_loss {m.log_loss(y_test, p):.6f} ece {ece(p, y_test):.6f}")


def telco(folder):
    import pandas as pd

    data = pd.read_csv(f"{folder}/telco/Telco-Customer-Churn.csv")
    numbers = data[["tenure", "MonthlyCharges"]].astype(float)
    numbers["TotalCharges"] = pd.to_numeric(data["TotalCharges"], errors="coerce")
    labels = data.drop(columns=["customerID", "tenure", "MonthlyCharges", "TotalCharges", "Churn"]).astype(str)
    fold = folds(np.array([fnv1a(key) for key in data["customerID"]], np.uint64))
    y = (data["Churn"] == "Yes").to_numpy()
    judge(numbers, labels, y, fold == 0, fold == 2)


def features_at(orders, day, horizon):
    """One row per customer with an order up to `day`; `orders`: customer, day, occasion, spend."""
    past = orders[orders.day <= day]
    recent = past[past.day > day - 90]
    by = past.groupby("customer")
    out = by.agg(last=("day", "max"), first=("day", "min"), order_count=("occasion", "nunique"), spend_total=("spend", "sum"))
    out["recency_days"] = day - out["last"]
    out["tenure_days"] = day - out["first"]
    out["order_value_mean"] = out["spend_total"] / out["order_count"]
    out["order_count_90d"] = recent.groupby("customer")["occasion"].nunique()
    out["spend_90d"] = recent.groupby("customer")["spend"].sum()
    out[["order_count_90d", "spend_90d"]] = out[["order_count_90d", "spend_90d"]].fillna(0)
    # The mean gap between orders; missing with a single one.
    out["gap_mean_days"] = ((out["last"] - out["first"]) / (out["order_count"] - 1)).where(out["order_count"] > 1)
    came = orders[(orders.day > day) & (orders.day <= day + horizon)]["customer"].unique()
    out["churned"] = ~out.index.isin(came)
    out["observed"] = day
    return out.drop(columns=["last", "first"]).reset_index()


def panel(orders, newest, dates, horizon=90, step=30):
    """`dates` dates, `step` apart, up to `newest`, of which those closer than the horizon are not learnt from."""
    import pandas as pd

    data = pd.concat([features_at(orders, newest - step * k, horizon) for k in range(dates)])
    fold = folds(data["customer"].to_numpy())
    early = (data["observed"] <= newest - horizon).to_numpy()
    last = (data["observed"] == newest).to_numpy()
    numbers = data.drop(columns=["customer", "churned", "observed"]).astype(float).reset_index(drop=True)
    judge(numbers, pd.DataFrame(), data["churned"].to_numpy(), early & (fold == 0), last & (fold == 2))


def days(dates):
    return (dates.dt.normalize() - np.datetime64("1970-01-01")).dt.days


def cdnow(folder):
    import pandas as pd

    rows = pd.read_parquet(f"{folder}/cdnow/master.parquet")
    rows["day"] = days(pd.to_datetime(rows["date"]))
    orders = pd.DataFrame({"customer": rows.customer_id, "day": rows.day, "occasion": rows.day, "spend": rows.dollars})
    panel(orders, newest=10_317, dates=10)


def online_retail(folder):
    import duckdb
    import pandas as pd

    rows = duckdb.sql(
        f"""select customer_id::bigint customer, invoiced_at, invoice_no occasion, quantity * unit_price spend
        from '{folder}/online_retail/*/*.parquet'
        where customer_id is not null and quantity > 0 and unit_price > 0 and invoice_no not like 'C%'"""
    ).df()
    rows["day"] = days(rows["invoiced_at"])
    panel(rows, newest=15_227, dates=7)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
