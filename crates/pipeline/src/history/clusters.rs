//! Which cluster is which earlier one, and what each is called.

use tessera_history::match_clusters;
use tessera_segments::ClusterIdentity;
use tessera_spec::pipeline::{Naming, Scheme};

use super::{History, overlap};

impl ClusterIdentity for History {
    /// A cluster that mostly has the customers of an earlier one keeps its id; others get numbers that were never given.
    fn clusters(
        &self,
        scheme: &Scheme,
        cluster_of: &[u32],
        names: Vec<String>,
    ) -> Vec<(i64, String)> {
        let name = scheme.name.value.as_str();
        let mut continued = vec![None; names.len()];
        if let (Some(before), Some(previous)) = (self.scheme_before(name), &self.previous) {
            let overlap = overlap(previous, &before, cluster_of, names.len());
            let order = first_seen(
                self.by_key.iter().map(|&row| cluster_of[row as usize]),
                names.len(),
            );
            continued = match_clusters(&overlap, &order)
                .into_iter()
                .map(|row| row.map(|row| before.segments[row].0))
                .collect();
        }
        let ids = self.ledger.number(name, &continued);
        warn_of_names(&scheme.naming, &ids);
        let names = scheme.naming.named(&ids, names);
        ids.into_iter().zip(names).collect()
    }
}

/// Warns of names for clusters that are not there.
fn warn_of_names(naming: &Naming, ids: &[i64]) {
    for (id, name) in naming.by_id.iter().filter(|(id, _)| !ids.contains(id)) {
        tracing::warn!("there is no cluster {id} that could be called `{name}`");
    }
}

/// Clusters in the order in which the customers' keys meet them, which does not depend on their labels.
fn first_seen(clusters: impl Iterator<Item = u32>, count: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for cluster in clusters {
        if let Some(seen) = seen.get_mut(cluster as usize).filter(|seen| !**seen) {
            *seen = true;
            order.push(cluster as usize);
            if order.len() == count {
                break;
            }
        }
    }
    order
}
