"""Whether the customers of Online Retail who are first by value at risk are those with whom most is lost, and whether their future value
is nearer to what they then spend than the lifetime value of the model.

Usage: first_of_shop.py LAKE STORE      (needs duckdb)

STORE holds versions of `pipelines/online_retail.toml` of days that are at least 90 days apart from each other and from the end of the
lake. The lake says what then happened. Lost is who orders nothing within 90 days, as the score of churn says; cancellations are no
orders, and are subtracted from all money. What the lost had spent is measured in two ways, of which the second is not what the pipeline
states: in the last 182 days; and since the first order, for 182 days. Over all days, for the first 20, 50 and 100 customers of each:

- by value at risk more is lost, in both ways, than by churn x `clv`, by value now, by past value, by lifetime value, by the probability
  alone, or by 200 random choices on average;
- of all customers with a risk, the value at risk of the first is what they lose of future value within two standard deviations of
  independent losses, and the fifth within which a probability counts as calibrated (docs/scores.md).

And on every day `value_future` is on average nearer than `clv` to the money of the next 182 days: by those of which 90 are in the lake,
half of it to the money of the next 90. Exit code 1 otherwise.
"""

import sys

import duckdb

HORIZON = 90
COUNTS = (20, 50, 100)
DRAWS = 200
CHOICES = {
    "value at risk": "value_at_risk",
    "churn x clv": "churn_probability * clv",
    "value now": "value_now",
    "past value": "value_past",
    "lifetime value": "clv",
    "churn probability": "churn_probability",
}
MEASURES = ("spent in 182 days", "spent since the first order, for 182 days")


def prepare(db, lake, store):
    db.execute(open(f"{store}/views/duckdb.sql").read())
    db.execute(f"""
    create table lines as
    select customer_id, cast(invoiced_at as date) as day, quantity * unit_price as money, invoice_no like 'C%' as cancelled
    from read_parquet('{lake}/*/*.parquet', hive_partitioning = false)
    where customer_id is not null and unit_price > 0 and (quantity > 0 or invoice_no like 'C%')""")
    db.execute(f"""
    create table told as
    with then_ as (
      select c.as_of, c.customer_id,
        coalesce(sum(money) filter (day <= as_of and day > as_of - 182), 0) as half_year,
        coalesce(sum(money) filter (day <= as_of), 0) as all_so_far,
        coalesce(sum(money) filter (day > as_of and day <= as_of + {HORIZON}), 0) as next_money,
        count(*) filter (day > as_of and day <= as_of + {HORIZON} and not cancelled) = 0 as lost
      from customers as c left join lines using (customer_id) group by all)
    select c.*, lost, next_money,
      case when lost then greatest(half_year, 0) else 0 end as loss_a,
      case when lost then greatest(all_so_far, 0) * 182 / greatest(tenure_days, 182) else 0 end as loss_b
    from customers as c join then_ using (as_of, customer_id) where churn_probability is not null""")


def losses(db, order, count):
    return db.execute(f"""
    select sum(loss_a), sum(loss_b) from (select * from told
      qualify row_number() over (partition by as_of order by {order} desc nulls last, customer_id) <= {count})""").fetchone()


def at_random(db, count):
    draws = [losses(db, f"hash(customer_id || '{draw}')", count) for draw in range(DRAWS)]
    return [sum(column) / DRAWS for column in zip(*draws)]


def nearer(db, failures):
    rows = db.execute("""
    select as_of, avg(abs(value_future / 2 - next_money)), avg(abs(clv / 2 - next_money)), sum(value_future) / 2 / sum(next_money),
      sum(clv) / 2 / sum(next_money) from told group by 1 order by 1""").fetchall()
    for day, future, clv, share, clv_share in rows:
        print(f"{day}: future value is off by {future:,.0f} ({share:.2f} of what was spent), clv by {clv:,.0f} ({clv_share:.2f})")
        if future >= clv:
            failures.append(f"future value of {day} is no nearer than clv")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    db, failures = duckdb.connect(), []
    prepare(db, *sys.argv[1:])
    for count in COUNTS:
        found = {name: losses(db, order, count) for name, order in CHOICES.items()}
        found["random"] = at_random(db, count)
        for name, loss in found.items():
            print(f"the first {count} by {name:18} lost {loss[0]:9,.0f} {loss[1]:9,.0f}")
        own = found.pop("value at risk")
        failures += [f"the first {count} by {name} lost as much ({of})"
                     for name, other in found.items() for of, ours, theirs in zip(MEASURES, own, other) if theirs >= ours]
        said, lost, chance = db.execute(f"""
        select sum(value_at_risk), sum(value_future) filter (lost),
          sqrt(sum(churn_probability * (1 - churn_probability) * value_future ** 2)) from (select * from told
          qualify row_number() over (partition by as_of order by value_at_risk desc, customer_id) <= {count})""").fetchone()
        print(f"the first {count} have {said:,.0f} at risk, and lost {lost:,.0f}; standard deviation {chance:,.0f}")
        if abs(said - lost) > 2 * chance + said / 5:
            failures.append(f"the first {count} do not lose their value at risk")
    nearer(db, failures)
    for text in failures:
        print(f"FAIL {text}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
