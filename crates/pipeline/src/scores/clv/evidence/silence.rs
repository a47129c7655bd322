//! Customers grouped by the time since their last purchase: whether those who are predicted alive buy.

/// Number of groups by time since the last purchase in which P(alive) is compared with who bought.
const SILENCE_GROUPS: usize = 4;

/// Customers with a similar time since the last purchase.
pub(super) struct SilenceGroup {
    /// Shortest time since the last purchase, days.
    pub(super) from_days: f64,
    pub(super) customers: usize,
    /// Mean probability of being alive.
    pub(super) alive: f64,
    /// Share who bought in the holdout.
    pub(super) bought: f64,
}

/// Groups of sizes as equal as ties allow, the shortest time since the last purchase first.
pub(super) fn groups_by_silence(
    silent_days: &[f64],
    alive: &[f64],
    bought: &[f64],
) -> Vec<SilenceGroup> {
    let mut order: Vec<usize> = (0..silent_days.len()).collect();
    order.sort_by(|&a, &b| {
        silent_days[a]
            .total_cmp(&silent_days[b])
            .then(alive[a].total_cmp(&alive[b]))
    });
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); SILENCE_GROUPS];
    let mut before = 0;
    for run in order.chunk_by(|&a, &b| silent_days[a] == silent_days[b]) {
        let place = SILENCE_GROUPS * (2 * before + run.len()) / (2 * order.len());
        groups[place.min(SILENCE_GROUPS - 1)].extend(run);
        before += run.len();
    }
    groups.retain(|group| !group.is_empty());
    let summed = |group: Vec<usize>| {
        let count = group.len() as f64;
        let mean =
            |of: &dyn Fn(usize) -> f64| group.iter().map(|&row| of(row)).sum::<f64>() / count;
        SilenceGroup {
            from_days: group
                .iter()
                .map(|&row| silent_days[row])
                .fold(f64::INFINITY, f64::min),
            customers: group.len(),
            alive: mean(&|row| alive[row]),
            bought: mean(&|row| f64::from(u8::from(bought[row] > 0.0))),
        }
    };
    groups.into_iter().map(summed).collect()
}
