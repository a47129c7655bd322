"""Results of scikit-learn with which the churn tests compare.

    python churn.py metrics
    python churn.py limits
    python churn.py telco|cdnow|online_retail DATA_FOLDER

Needs numpy, pandas, scikit-learn (1.9.1 gave the committed constants), for `metrics` scipy, for Parquet pyarrow or duckdb.
Prints the constants in `churn_metrics.rs` and `churn_real_data.rs`; writes no files.
"""

import sys

import numpy as np


def metrics():
    from sklearn import metrics as m
    from sklearn.linear_model import LogisticRegression

    i = np.arange(400)
    k = 37 * i % 101 + 1
    p = k / 103
    y = (7919 * i % 1000) * 103 < 600 * k + 10300
    rival = np.full(400, y.mean())
    logit = np.log(p / (1 - p))
    line = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(logit[:, None], y)
    losses = lambda q: -np.where(y, np.log(q), np.log1p(-q))
    gain = losses(rival) - losses(p)
    # Ties at the border of the top tenth: the expected value over random orders of equal predictions.
    above, at = p > np.sort(p)[-40], p == np.sort(p)[-40]
    top = (y[above].sum() + y[at].mean() * (40 - above.sum())) / 40
    print("auc", m.roc_auc_score(y, p))
    print("average_precision", m.average_precision_score(y, p))
    print("log_loss", m.log_loss(y, p))
    print("brier", m.brier_score_loss(y, p))
    i = np.arange(4000)
    k = 37 * i % 101 + 1
    many, happened = k / 103, (7919 * i % 1000) * 103 < 600 * k + 10300
    bins = bins_of(many)
    print("of 4000 rows: ece", ece(many, happened), "bin counts", np.bincount(bins))
    print("bin 1", many[bins == 0].mean(), happened[bins == 0].mean())
    random = np.random.default_rng(1)
    errors = [ece(many, random.random(4000) < many) for _ in range(2000)]
    print("95% of errors by chance are below", np.quantile(errors, 0.95))
    print("line", line.intercept_[0], line.coef_[0, 0])
    print("gain", gain.mean(), gain.std(ddof=1) / 20)
    print("lift", top / y.mean())


def limits():
    """The 95% quantile of the calibration error of ten bins of 350 predictions that are right but for an error of 0.04, of which
    a part is common to all of them."""
    draws, rows, each = 4_000_000, 350, 0.04
    random = np.random.default_rng(1)
    for together in (0.0, 0.02, 0.03, 0.04):
        common, total = random.standard_normal(draws) * together, np.zeros(draws)
        for p in np.linspace(0.05, 0.95, 10):
            own = (p * (1 - p) / rows + each**2 - together**2) ** 0.5
            total += np.abs(common + own * random.standard_normal(draws)) / 10
        print(together, np.quantile(total, 0.95))


def mix(value):
    """The finaliser of splitmix64 over an array of uint64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def folds(customer, seed=0):
    """The fold of each customer, as `fold_of`."""
    with np.errstate(over="ignore"):
        scattered = mix(customer.astype(np.uint64) ^ mix(np.array([seed], np.uint64)))
    share = (scattered >> np.uint64(11)).astype(float) / 2.0**53
    return np.minimum((share * 3).astype(int), 2)


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def bins_of(p):
    """Bins of 200 rows each, ten at most; equal predictions stay together, small bins join the one before."""
    import scipy.stats

    wanted = min(max(len(p) // 200, 1), 10)
    bins = np.minimum(np.floor(wanted * (scipy.stats.rankdata(p) - 0.5) / len(p)).astype(int), wanted - 1)
    joined, last = np.zeros(len(p), int), []
    for b in np.unique(bins):
        rows = int((bins == b).sum())
        if last and (last[-1] < 200 or rows < 200):
            last[-1] += rows
        else:
            last.append(rows)
        joined[bins == b] = len(last) - 1
    return joined


def ece(p, y):
    bins = bins_of(p)
    return sum(
        abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    )


def judge(numbers, labels, y, train, test, fold):
    """Prints metrics of models of scikit-learn on `test`: each fold of the customers is predicted by models fitted on `train` of the
    other folds. `train`, `test`: masks of rows; `numbers`, `labels`: data frames."""
    from sklearn import metrics as m

    print(f"train {train.sum()} churned {y[train].sum()}, test {test.sum()} churned {y[test].sum()}")
    predicted = {}
    for part in range(3):
        for name, p in predict(numbers, labels, y, train & (fold != part), test & (fold == part)).items():
            predicted.setdefault(name, np.zeros(len(y)))[test & (fold == part)] = p
    for name, p in predicted.items():
        p = p[test]
        print(f"{name}: auc {m.roc_auc_score(y[test], p):.6f} log_loss {m.log_loss(y[test], p):.6f} ece {ece(p, y[test]):.6f}")


def predict(numbers, labels, y, train, test):
    """Predictions on `test` of models fitted on `train`, by name."""
    import pandas as pd
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    numbers = numbers.copy()
    for column in numbers:
        values = numbers.loc[train, column]
        # The rule of tessera's preparation: scikit-learn's models get the same transforms.
        if values.skew() > 4 and values.min() >= 0:
            numbers[column] = np.log1p(numbers[column].clip(lower=0))
        numbers[column] = numbers[column].fillna(numbers.loc[train, column].median())
    features = pd.concat([numbers, pd.get_dummies(labels, dtype=float)], axis=1) if len(labels.columns) else numbers
    scaled = StandardScaler().fit(features[train])
    x, x_test = scaled.transform(features[train]), scaled.transform(features[test])
    y = y[train]
    models = {
        "logistic": LogisticRegression(max_iter=10_000, tol=1e-8),
        "random_forest": RandomForestClassifier(500, min_samples_leaf=10, random_state=0, n_jobs=2),
        "gradient_boosting": GradientBoostingClassifier(random_state=0),
    }
    return {name: model.fit(x, y).predict_proba(x_test)[:, 1] for name, model in models.items()}


def telco(folder):
    import pandas as pd

    data = pd.read_csv(f"{folder}/telco/Telco-Customer-Churn.csv")
    numbers = data[["tenure", "MonthlyCharges"]].astype(float)
    numbers["TotalCharges"] = pd.to_numeric(data["TotalCharges"], errors="coerce")
    labels = data.drop(columns=["customerID", "tenure", "MonthlyCharges", "TotalCharges", "Churn"]).astype(str)
    fold = folds(np.array([fnv1a(key) for key in data["customerID"]], np.uint64))
    y = (data["Churn"] == "Yes").to_numpy()
    everyone = np.ones(len(y), bool)
    judge(numbers, labels, y, everyone, everyone, fold)


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
    """`dates` dates, `step` apart, up to `newest`; those closer than the horizon are not trained on."""
    import pandas as pd

    data = pd.concat([features_at(orders, newest - step * k, horizon) for k in range(dates)])
    fold = folds(data["customer"].to_numpy())
    early = (data["observed"] <= newest - horizon).to_numpy()
    last = (data["observed"] == newest).to_numpy()
    numbers = data.drop(columns=["customer", "churned", "observed"]).astype(float).reset_index(drop=True)
    judge(numbers, pd.DataFrame(), data["churned"].to_numpy(), early, last, fold)


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
