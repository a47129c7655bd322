"""Whether the first customers by value at risk are those with whom most is lost, and as much as it says, by what really happens.

Usage: first_twenty.py LAKE STORE PIPELINE [COUNT]      (needs Python 3.11 and duckdb)

STORE holds versions of days that are at least 90 days apart from the next and from the end of the demo lake, or nearly. For the first
COUNT (20) customers of each day by each of the orders that a reader could choose, from the published `customers`, the lake says what
was lost within the next 90 days; the losses of all days are added up, since on one day it is two or three customers who decide:

- money a month: fees that are no longer paid, a change of plan being none, and of who does not order in these days the orders that
  were expected;
- planted: of who leaves for good within these days by `truth/` (which no source holds), a year of fees and of margin at the
  customer's own planted rate and order value;
- future: the published future value of those who are lost by what `risk` is about: whose subscription ends within these days; of
  customers without one, who does not order in them.

Prints a line per choice. Exit code 1 unless

- the loss of the first by value at risk is by month and by planted loss above that of every other choice but value now, the mean of
  random ones among them;
- against value now, of the first COUNT it is above by month, and not below by planted loss, by more than chance explains; of
  the first WIDE it is above by both by more than chance explains;
- the future lost is their value at risk, of the first COUNT and of all customers, within chance and the fifth within which a
  probability counts as calibrated (docs/scores.md);
- they all still buy or pay, and are on average more likely to be lost than the median customer;
- of those whom the rules send to `rescue` more are lost than of those with as much to lose whom they leave in `high-touch`, by more
  than chance explains.

Chance: those who are among the first of one of the two only are lost independently of each other, so the variance of the difference
is the sum of the squares of their losses; future lost has the variance of independent losses with the published probabilities. Two
standard deviations are allowed.
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


# Who pays most is lost most where most of the money is with a few.
BESIDE = {"value now": "value_now desc nulls last"}

# Who is among the first by value now is much the same for twenty; of this many, risk shows beyond chance on one lake.
WIDE = 1000

MEASURES = ("lost_a_month", "planted")


def prepare(db, lake, store, margin):
    """A table `told`: what the versions say of each customer, and what then happened."""
    db.execute(open(f"{store}/views/duckdb.sql").read())
    db.execute(f"""
    create table told as
    with day as (select distinct as_of as d from customers),
    fees as (
      select d, customer_id,
        sum(case when started_on <= d and (ended_on is null or ended_on > d) then mrr else 0 end) as before,
        sum(case when started_on <= d + {HORIZON} and (ended_on is null or ended_on > d + {HORIZON}) then mrr else 0 end) as after,
        bool_or(started_on <= d and (ended_on is null or ended_on > d)) as subscribes,
        bool_or(started_on <= d + {HORIZON} and (ended_on is null or ended_on > d + {HORIZON})) as stays
      from read_parquet('{lake}/subscriptions/*.parquet'), day
      where ended_on is null or ended_on > started_on group by d, customer_id),
    bought as (
      select d, customer_id, count(*) as orders from read_parquet('{lake}/orders/*/*.parquet', hive_partitioning = false), day
      where cast(ordered_at as date) > d and cast(ordered_at as date) <= d + {HORIZON}
        and quantity > 0 and unit_price > 0 and order_id not like 'X%'
      group by d, customer_id)
    select c.*, coalesce(f.before, 0) as fees,
      greatest(coalesce(f.before - f.after, 0), 0)
        + case when b.orders is null then coalesce(c.expected_purchases * c.expected_spend, 0) / 12 else 0 end as lost_a_month,
      case when t.churned_on > c.as_of and t.churned_on <= c.as_of + {HORIZON}
        then 12 * coalesce(f.before, 0) + {margin} * 365 * t.lambda_per_day * t.order_value_expected else 0 end as planted,
      coalesce(t.churned_on > c.as_of and t.churned_on <= c.as_of + {HORIZON}, false) as leaves,
      value_at_risk / nullif(value_future, 0) as risk,
      case when coalesce(f.subscribes, false) then not f.stays else b.orders is null end as lost
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
      avg(risk), sum(value_at_risk), count(*) from first""").fetchone()


def by_chance(db, one, other, measure, count):
    """The standard deviation of the difference of two losses."""
    return db.execute(f"""
    with one as ({first(one, count)}), other as ({first(other, count)})
    select sqrt(coalesce(sum({measure} ** 2), 0)) from (
      from one anti join other using (as_of, customer_id) union all from other anti join one using (as_of, customer_id))
    """).fetchone()[0]


def future_lost(db, count):
    """Value at risk of the first, the future value of those who are lost, and its standard deviation."""
    return db.execute(f"""
    with first as ({first(CHOICES["value at risk"], count)})
    select sum(value_at_risk), sum(value_future) filter (lost), sqrt(sum(risk * (1 - risk) * value_future ** 2))
    from first where value_at_risk is not null""").fetchone()


def against_value_now(db, count, failures):
    """Prints by how much more is lost than with the first by value now; adds what is worse than it may be."""
    for name, order in BESIDE.items():
        ours, theirs = (losses(db, by, count) for by in (CHOICES["value at risk"], order))
        for measure, own, other in zip(MEASURES, ours, theirs):
            chance = by_chance(db, CHOICES["value at risk"], order, measure, count)
            print(f"{measure} of the first {count:,}: {own:,.0f}, {own - other:+,.0f} against {name}, standard deviation {chance:,.0f}")
            limit = 2 * chance if count == WIDE else 0 if measure == "lost_a_month" else -2 * chance
            if own - other <= limit:
                failures.append(f"value at risk lose too little beside {name} ({measure} of {count})")


def against_itself(db, whom, count, failures):
    """Prints how the value at risk compares with what is lost; adds it where chance does not explain the difference."""
    said, lost, chance = future_lost(db, count)
    print(f"value at risk of {whom}: {said:,.0f}, future lost {lost:,.0f}, standard deviation {chance:,.0f}")
    if abs(lost - said) > 2 * chance + said / 5:
        failures.append(f"value at risk do not lose it (of {whom})")


def rescued(db, failures):
    """Prints how many of the valuable are lost whom the rules rescue, and of the others; adds it where these are as many."""
    found = {touch: (count, share) for touch, count, share in db.execute("""
    select touch, count(*), avg(lost::int) from told where risk is not null and touch in ('rescue', 'high-touch') group by 1""").fetchall()}
    (count, share), (others, left) = found["rescue"], found["high-touch"]
    chance = (share * (1 - share) / count + left * (1 - left) / others) ** 0.5
    print(f"lost of {count:,} in rescue: {share:.1%}, of {others:,} in high-touch: {left:.1%}, standard deviation {chance:.1%}")
    if share - left <= 2 * chance:
        failures.append("rule `rescue` are lost no more than the others")


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
    *own, _, living, risk, _, all_first = found.pop("value at risk")
    usual, = db.execute("select median(risk) from told").fetchone()
    failures = []
    for name, other in found.items():
        for measure, ours, theirs in zip(MEASURES, own, other):
            if name not in BESIDE and theirs >= ours:
                failures.append(f"{name} lost as much or more ({measure})")
    for first_of in (count, WIDE):
        against_value_now(db, first_of, failures)
    everyone, = db.execute("select count(*) from told").fetchone()
    for whom, first_of in ((f"the first {count}", count), ("all", everyone)):
        against_itself(db, whom, first_of, failures)
    rescued(db, failures)
    print(f"median risk of all: {usual:.2f}")
    for text in failures:
        print(f"FAIL the first by {text}")
    if living < all_first:
        print(f"FAIL {all_first - living} of the first neither bought within {HORIZON} days nor pay")
    if risk <= usual:
        print("FAIL the first are no more likely to be lost than most")
    sys.exit(1 if failures or living < all_first or risk <= usual else 0)


if __name__ == "__main__":
    main()
