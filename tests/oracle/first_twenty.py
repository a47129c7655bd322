"""Whether the first customers by value at risk are those with whom most is lost, by what really happens to them.

Usage: first_twenty.py LAKE STORE PIPELINE [COUNT]      (needs Python 3.11 and duckdb)

STORE holds versions of days that are at least 90 days apart from the next and from the end of the demo lake, or nearly. For the first
COUNT (20) customers of each day by each of the orders that a reader could choose, from the published `customers`, the lake says what
was lost within the next 90 days; the losses of all days are added up, since on one day it is two or three customers who decide:

- money a month: the fees of subscriptions that ended, and of who does not order in these days the orders that were expected;
- planted: of who leaves for good within these days by `truth/` (which no source holds), a year of fees and of margin at the
  customer's own planted rate and order value.

Prints a line per choice. Exit code 1 unless the loss of the first by value at risk is by both measures above that of every other
choice, the mean of random ones among them, and not below that of the first by value now by more than chance explains; and unless they
all still buy or pay, and are on average more likely to be lost than the median customer. Chance: those who are among the first of one
of the two only are lost independently of each other, so the variance of the difference is the sum of the squares of their losses; the
difference may be two standard deviations.
"""

import sys
import tomllib

import duckdb

HORIZON = 90
DRAWS = 200

# What a reader could choose by, and how the first by it are found.
CHOICES = {
    "value at risk": "value_at_risk desc nulls last",
    "past spend": "value_past desc nulls last",
    "churn probability": "churn_probability desc nulls last, value_past desc nulls last",
    "lifetime value": "clv desc nulls last",
    "lowest RFM": "rfm_r + rfm_f + rfm_m asc nulls last, value_past desc nulls last",
}


# Who pays most is lost most where most of the money is with a few: value at risk must not be worse, but by chance.
BESIDE = {"value now": "value_now desc nulls last"}

MEASURES = ("lost_a_month", "planted")


def prepare(db, lake, store, margin):
    """A table `told`: what the versions say of each customer, and what then happened."""
    db.execute(open(f"{store}/views/duckdb.sql").read())
    db.execute(f"""
    create table told as
    with day as (select distinct as_of as d from customers),
    fees as (
      select d, customer_id, sum(mrr) as before,
        coalesce(sum(mrr) filter (ended_on is null or ended_on > d + {HORIZON}), 0) as after
      from read_parquet('{lake}/subscriptions/*.parquet'), day
      where started_on <= d and (ended_on is null or ended_on > d) group by d, customer_id),
    bought as (
      select d, customer_id, count(*) as orders from read_parquet('{lake}/orders/*/*.parquet', hive_partitioning = false), day
      where cast(ordered_at as date) > d and cast(ordered_at as date) <= d + {HORIZON}
        and quantity > 0 and unit_price > 0 and order_id not like 'X%'
      group by d, customer_id)
    select c.*, coalesce(f.before, 0) as fees,
      coalesce(f.before - f.after, 0)
        + case when b.orders is null then coalesce(c.expected_purchases * c.expected_spend, 0) / 12 else 0 end as lost_a_month,
      case when t.churned_on > c.as_of and t.churned_on <= c.as_of + {HORIZON}
        then 12 * coalesce(f.before, 0) + {margin} * 365 * t.lambda_per_day * t.order_value_expected else 0 end as planted,
      coalesce(t.churned_on > c.as_of and t.churned_on <= c.as_of + {HORIZON}, false) as leaves
    from customers as c
    left join fees as f on f.d = c.as_of and f.customer_id = c.customer_id
    left join bought as b on b.d = c.as_of and b.customer_id = c.customer_id
    left join read_parquet('{lake}/truth/customers.parquet') as t on t.customer_id = c.customer_id""")


def first(order, count):
    return f"select * from told qualify row_number() over (partition by as_of order by {order}, customer_id) <= {count}"


def losses(db, order, count):
    return db.execute(f"""
    with first as ({first(order, count)})
    select sum(lost_a_month), sum(planted), count(*) filter (leaves), count(*) filter (recency_days <= {HORIZON} or fees > 0),
      avg(value_at_risk / nullif(value_future, 0)), sum(value_at_risk), count(*) from first""").fetchone()


def by_chance(db, one, other, measure, count):
    """The standard deviation of the difference of two losses."""
    return db.execute(f"""
    with one as ({first(one, count)}), other as ({first(other, count)})
    select sqrt(coalesce(sum({measure} ** 2), 0)) from (
      from one anti join other using (as_of, customer_id) union all from other anti join one using (as_of, customer_id))
    """).fetchone()[0]


def at_random(db, count):
    """Means over draws, by a hash so that they are the same every time."""
    draws = [losses(db, f"hash(customer_id || '{draw}')", count) for draw in range(DRAWS)]
    return [sum(column) / DRAWS for column in zip(*[[value or 0 for value in draw] for draw in draws])]


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    lake, store, pipeline, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 20
    with open(pipeline, "rb") as file:
        margin = tomllib.load(file)["scores"]["value"]["margin"]
    db = duckdb.connect()
    prepare(db, lake, store, margin)
    found = {name: losses(db, order, count) for name, order in (CHOICES | BESIDE).items()}
    found["random"] = at_random(db, count)
    days, = db.execute("select count(distinct as_of) from told").fetchone()
    print(f"{f'first {count} of {days} days by':28} {'lost a month':>13} {'planted loss':>13} {'leave':>6} {'buy or pay':>11} {'risk':>6}")
    for name, (month, planted, leave, living, risk, *_) in found.items():
        print(f"{name:28} {month:13,.0f} {planted:13,.0f} {leave:6.1f} {living:11.1f} {risk or 0:6.2f}")
    *own, _, living, risk, at_risk, all_first = found.pop("value at risk")
    usual, = db.execute("select median(value_at_risk / nullif(value_future, 0)) from told").fetchone()
    failures = []
    for name, other in found.items():
        for measure, ours, theirs in zip(MEASURES, own, other):
            if name in BESIDE:
                chance = by_chance(db, CHOICES["value at risk"], BESIDE[name], measure, count)
                print(f"{measure}: {ours - theirs:+,.0f} against {name}, standard deviation {chance:,.0f}")
                failed = theirs - ours > 2 * chance
            else:
                failed = theirs >= ours
            if failed:
                failures.append(f"{name} lost as much or more ({measure})")
    print(f"value at risk of these: {at_risk:,.0f}; median risk of all: {usual:.2f}")
    for text in failures:
        print(f"FAIL the first by {text}")
    if living < all_first:
        print(f"FAIL {all_first - living} of the first neither bought within {HORIZON} days nor pay")
    if risk <= usual:
        print("FAIL the first are no more likely to be lost than most")
    sys.exit(1 if failures or living < all_first or risk <= usual else 0)


if __name__ == "__main__":
    main()
