//! A run: from the lake to a published version.

use tessera_snapshot::StoreError;

use crate::compute::{Computed, compute};
use crate::error::{PipelineError, needed};
use crate::identity;
use crate::options::RunOptions;
use crate::plan;
use crate::prepared::Prepared;
use crate::publish::{self, Published};
use crate::stage::{Observer, Stage};

/// How often at most a run is compared with the version before its day, if other runs publish one meanwhile.
const COMPARISONS: u32 = 10;

/// Runs the pipeline and publishes one version, unless the same run has been published before.
pub fn run(
    prepared: &Prepared,
    options: &RunOptions<'_>,
    observer: &dyn Observer,
) -> Result<Published, PipelineError> {
    if let Some(planned) = options.planned {
        plan::follow(planned, prepared)?;
    }
    let mut damaged = None;
    if let Some(store) = publish::opened(prepared)? {
        let identity = identity::identity(prepared);
        let thorough = options.replace_damaged;
        match publish::before(&store, &identity, thorough, prepared.pipeline.report)? {
            publish::Before::Nothing => {}
            publish::Before::Damaged(found) => damaged = Some(found),
            publish::Before::Done(found) => {
                // The pipeline may have changed nothing but what the store remembers of it.
                publish::claim(prepared, &store)?;
                observer.published(&found);
                return Ok(*found);
            }
        }
    }
    let mut computed = compute(prepared, options, observer)?;
    computed.walk.job.replaces = damaged;
    publish(computed)
}

/// Publishes computed tables as one version and writes its report; creates the store if there is none. If another run meanwhile
/// publishes a version that comes before this day, the tables that depend on it are computed again.
pub fn publish(computed: Computed<'_>) -> Result<Published, PipelineError> {
    let mut walk = computed.walk;
    let prepared = walk.job.prepared;
    walk.job.store = Some(publish::open(prepared)?);
    let mut comparisons = 1;
    while let Err(error) = walk.until(|stage| *stage == Stage::Report) {
        match error {
            PipelineError::Store(StoreError::Overtaken { now, .. })
                if comparisons < COMPARISONS =>
            {
                if let Some(planned) = walk.job.planned {
                    plan::follow(planned, prepared)?;
                }
                tracing::info!(
                    "version {now} was published meanwhile and now comes before this day: compared again"
                );
                comparisons += 1;
                prepared.follows(now)?;
                walk.compare_again()?;
            }
            error => return Err(error),
        }
    }
    // The version exists: a later failure is not an error of its publication.
    let written = walk.step();
    let mut published = needed(walk.made.published, "a version")?;
    published.note(publish::NO_REPORT, written);
    for source in &prepared.pipeline.sources {
        walk.job.disclosure.forget(&source.name.value);
    }
    Ok(published)
}

/// Sets the number of threads of every pool. Must be called before anything runs.
///
/// # Safety
/// No other thread runs yet, as [`tessera_engine::set_threads`] states.
pub unsafe fn set_threads(threads: usize) {
    // SAFETY: as the caller promises.
    unsafe { tessera_engine::set_threads(threads) };
    if let Err(error) = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
    {
        tracing::debug!("the thread pool already exists: {error}");
    }
}
