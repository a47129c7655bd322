//! BG/NBD and MBG/NBD where all customers have the same dropout probability: a and b grow without bound, p = a / (a + b) stays.
//! Expected figures are those of `tests/oracle/shared_dropout.py`, which computes the same histories.

use tessera_model::btyd::{
    BtydModel, Fallback, ForecastPlan, Forecaster, PurchaseFit, PurchaseHistory, PurchaseModel,
    Served, TimeUnit,
};
use tessera_model::interrupt::Interrupt;

struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) * 2f64.powi(-53)
    }
}

/// 900 customers, rates exponential about one purchase in ten days, dropout with probability 0.05 after every purchase.
fn history() -> PurchaseHistory {
    let mut u = Uniform(8);
    let (mut x, mut t_x, mut tenures) = (vec![], vec![], vec![]);
    for _ in 0..900 {
        let tenure = 30.0 + (u.next() * 600.0).floor();
        let rate = -u.next().ln() / 10.0;
        u.next();
        let (mut days, mut time) = (vec![0_u32], 0.0);
        while u.next() >= 0.05 {
            time -= u.next().ln() / rate;
            if time >= tenure {
                break;
            }
            days.push(time.floor() as u32);
        }
        days.dedup();
        x.push(days.len() as u32 - 1);
        t_x.push(f64::from(*days.last().unwrap()));
        tenures.push(tenure);
    }
    PurchaseHistory::from_columns(TimeUnit::Days, &x, &t_x, &tenures).unwrap()
}

struct Expected {
    model: BtydModel,
    /// r, alpha, p.
    parameters: [f64; 3],
    standard_errors: [f64; 3],
    log_likelihood: f64,
    alive: f64,
    purchases: f64,
    /// Customer, P(alive), expected purchases.
    customers: [(usize, f64, f64); 4],
}

const EXPECTED: [Expected; 2] = [
    Expected {
        model: BtydModel::MbgNbd,
        parameters: [1.126_569_33, 12.955_959_2, 0.052_850_573_1],
        standard_errors: [0.069_234_06, 0.936_163_75, 0.002_491_83],
        log_likelihood: -33_617.493_676_14,
        alive: 375.140_933_04,
        purchases: 1_226.923_507_41,
        customers: [
            (173, 0.474_283_11, 0.254_412_79),
            (494, 0.659_486_99, 1.358_251_40),
            (785, 0.815_985_53, 3.548_196_49),
            (859, 0.593_566_94, 0.481_391_83),
        ],
    },
    Expected {
        model: BtydModel::BgNbd,
        parameters: [0.878_344_142, 10.561_620_2, 0.052_594_364_7],
        standard_errors: [0.045_514_34, 0.718_148_72, 0.002_538_95],
        log_likelihood: -33_626.325_423_96,
        alive: 425.020_253_77,
        purchases: 1_229.292_013_60,
        customers: [
            (100, 0.891_798_24, 1.066_732_68),
            (123, 0.749_574_80, 1.554_859_08),
            (581, 0.825_945_36, 4.257_948_31),
            (817, 0.649_151_69, 1.369_777_34),
        ],
    },
];

fn assert_near(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!(
        (got / want - 1.0).abs() < tolerance,
        "{what}: {got} is not {want}"
    );
}

#[test]
fn the_requested_model_serves_at_the_edge_of_its_parameters_as_scipy_fits_it() {
    let history = history();
    for expected in &EXPECTED {
        let requested = PurchaseModel::Btyd(expected.model);
        let fallback = Fallback::fit(requested, &history, Interrupt::NEVER).unwrap();
        assert_eq!(
            fallback.name(),
            Some(expected.model.name()),
            "{:?}",
            fallback.failed
        );
        assert!(fallback.failed.is_empty() && fallback.dropout.is_none());
        let Served::Model(PurchaseFit::SharedDropout(fit)) = &fallback.served else {
            panic!("{:?}", fallback.served);
        };
        for place in 0..3 {
            let (got, want) = (fit.parameters[place], expected.parameters[place]);
            assert_near("parameter", got, want, 1e-5);
            let (got, want) = (fit.standard_errors[place], expected.standard_errors[place]);
            assert_near("standard error", got, want, 1e-3);
        }
        assert!((fit.log_likelihood - expected.log_likelihood).abs() < 1e-4);
        let plan = ForecastPlan {
            horizon: 90.0,
            discount_per_year: 0.1,
            draws: 400,
            seed: 5,
        };
        let forecasts = Forecaster::new(fit, plan).unwrap().forecast(&history);
        let of = |customer: usize| forecasts[history.row_of()[customer] as usize];
        let sums = (0..900).map(|customer| {
            let forecast = of(customer);
            for e in [
                forecast.p_alive,
                forecast.purchases,
                forecast.p_no_purchase,
                forecast.discounted_purchases,
            ] {
                let ends = [e.low_95, e.low_80, e.high_80, e.high_95];
                assert!(ends.is_sorted() && ends.iter().all(|end| end.is_finite()));
            }
            (forecast.p_alive.value, forecast.purchases.value)
        });
        let (alive, purchases) = sums.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        assert_near("sum of P(alive)", alive, expected.alive, 1e-6);
        assert_near("sum of purchases", purchases, expected.purchases, 1e-6);
        for (customer, alive, purchases) in expected.customers {
            let forecast = of(customer);
            assert_near("P(alive)", forecast.p_alive.value, alive, 1e-5);
            assert_near("purchases", forecast.purchases.value, purchases, 1e-5);
            let (low, high) = (forecast.purchases.low_95, forecast.purchases.high_95);
            assert!(low < purchases && purchases < high, "{low} {high}");
        }
    }
}

#[test]
fn a_unit_of_time_changes_no_estimate() {
    let days = history();
    let columns: Vec<(u32, f64, f64)> = (0..900)
        .map(|customer| {
            let row = days.summary(days.row_of()[customer] as usize);
            (row.x, row.t_x / 7.0, row.tenure / 7.0)
        })
        .collect();
    let x: Vec<u32> = columns.iter().map(|row| row.0).collect();
    let t_x: Vec<f64> = columns.iter().map(|row| row.1).collect();
    let tenure: Vec<f64> = columns.iter().map(|row| row.2).collect();
    let weeks = PurchaseHistory::from_columns(TimeUnit::Weeks, &x, &t_x, &tenure).unwrap();
    let model = PurchaseModel::Btyd(BtydModel::MbgNbd);
    let values = |history| {
        let fit = model.fit(history, Interrupt::NEVER).unwrap();
        fit.parameters()
            .iter()
            .map(|(_, value, _)| *value)
            .collect::<Vec<f64>>()
    };
    let (by_day, by_week) = (values(&days), values(&weeks));
    assert_near("r", by_week[0], by_day[0], 1e-7);
    assert_near("alpha", by_week[1] * 7.0, by_day[1], 1e-7);
    assert_near("p", by_week[2], by_day[2], 1e-7);
}
