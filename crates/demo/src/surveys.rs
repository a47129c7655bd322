//! `surveys/`: answers to "how likely are you to recommend us", as newline-delimited JSON.

use std::fmt::Write;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::calendar::{FIRST_DAY, LAST_DAY, date_of, day_at, day_number};
use crate::customer::{Customer, spread};
use crate::streams::{Purpose, stream};
use crate::table::Table;
use crate::{DemoConfig, DemoError, DirtCounts};

/// Days between the half-yearly waves of the survey.
const WAVE_DAYS: i32 = 182;

/// Writes the answers of all customers and counts those outside the scale.
pub(crate) fn write(
    table: &mut Table,
    config: &DemoConfig,
    customers: &[Customer],
    dirt: &mut DirtCounts,
) -> Result<(), DemoError> {
    let mut answers: Vec<(i32, u32, i64)> = Vec::new();
    for customer in customers {
        answer(config.seed, customer, &mut answers);
    }
    answers.sort_unstable();
    let wrong: Vec<usize> = spread(answers.len(), customers.len().div_ceil(1_700)).collect();
    dirt.surveys_out_of_range = wrong.len() as u64;
    for (position, row) in wrong.into_iter().enumerate() {
        answers[row].2 = if position % 2 == 0 { 11 } else { -1 };
    }
    let mut text = String::new();
    for (day, customer, nps) in &answers {
        let id = crate::customer::customer_id(*customer);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            r#"{{"customer_id":"{id}","answered_at":"{}","nps":{nps}}}"#,
            date_of(*day)
        );
    }
    table.text("surveys.ndjson", &text, answers.len())
}

/// One in five customers answers a wave of the survey that takes place while it is a customer.
fn answer(seed: u64, customer: &Customer, answers: &mut Vec<(i32, u32, i64)>) {
    let rng = &mut stream(seed, Purpose::Surveys, customer.index);
    let first = day_number(FIRST_DAY) + 45;
    for wave in (first..=day_number(LAST_DAY)).step_by(WAVE_DAYS as usize) {
        let day = wave + rng.random_range(0..20);
        let there = day > day_at(customer.arrived) && day <= day_at(customer.active_until()) + 30;
        let noise: f64 = StandardNormal.sample(rng);
        let answers_it = rng.random_bool(0.2);
        if there && answers_it && day <= day_number(LAST_DAY) {
            let nps = (customer.archetype.nps_centre + 1.8 * noise)
                .round()
                .clamp(0.0, 10.0) as i64;
            answers.push((day, customer.index, nps));
        }
    }
}
