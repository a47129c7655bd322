//! Times preparation and k-means on synthetic customers:
//! `cargo run --release -p tessera-model --example kmeans_speed -- [ROWS] [COLUMNS] [K] [STARTS]`.
//!
//! 844,000 x 11, k = 6, best of 3 by default: the size of the benchmark lake's active customers.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera_model::Matrix;
use tessera_model::cluster::{KmeansParams, Preparation, PreparationParams, fit};
use tessera_spec::pipeline::{KChoice, Transform};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = std::env::args()
        .skip(1)
        .map(|a| a.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    let argument = |place: usize, default: usize| arguments.get(place).copied().unwrap_or(default);
    let (rows, width, k, starts) = (
        argument(0, 844_000),
        argument(1, 11),
        argument(2, 6),
        argument(3, 3),
    );
    let raw = customers(rows, width)?;

    let begun = Instant::now();
    let (_, prepared) = Preparation::fit(&raw, &PreparationParams::new(Transform::Log1p))?;
    println!("prepare {:.3} s", begun.elapsed().as_secs_f64());

    let params = KmeansParams {
        restarts: u32::try_from(starts)?,
        ..KmeansParams::new(KChoice::Fixed(u32::try_from(k)?))
    };
    let begun = Instant::now();
    let found = fit(&prepared, &params.check()?)?;
    println!(
        "fit {:.3} s: inertia {:.3}, {} passes over all rows, sampling excess {:.6}, candidate {} was used",
        begun.elapsed().as_secs_f64(),
        found.inertia,
        found.iterations,
        found.sampling_excess,
        found.best_candidate,
    );
    for candidate in &found.candidates {
        println!("  {:?}: {:.3}", candidate.origin, candidate.sample_inertia);
    }
    Ok(())
}

/// Skewed, correlated columns: each customer has a level that all columns depend on in part.
fn customers(rows: usize, width: usize) -> Result<Matrix<'static>, Box<dyn std::error::Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut columns = vec![Vec::with_capacity(rows); width];
    for _ in 0..rows {
        let level = 4.0 * random.random::<f64>().powi(3);
        for (place, column) in columns.iter_mut().enumerate() {
            let own = random.random::<f64>() + random.random::<f64>();
            let share = (place % 4) as f64 / 4.0;
            column.push((share * level + 2.0 * own).exp().floor());
        }
    }
    Ok(Matrix::from_columns(
        (0..width).map(|place| format!("feature_{place}")).collect(),
        columns,
    )?)
}
