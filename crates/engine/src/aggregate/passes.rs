//! As many passes over a source as the states of its customers need. Where all of them take more than the run may take, each
//! pass reads every row and keeps the customers of one part, which the hash of the key decides.
//!
//! A customer belongs to one part, so each state is what it is after a single pass, and the tables of the parts, merged by key,
//! are the table of a single pass.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use polars::prelude::LazyFrame;
use tessera_expr::Type;
use tessera_expr::rel::{Aggregate, RowCounts, SourceRows};
use tessera_spec::shown::grouped;

use super::batch::Batch;
use super::finish::{self, Naming};
use super::layout::Layout;
use super::worker::Worker;
use super::{Scanner, drain, key_type, lock, selected};
use crate::budget::Budget;
use crate::duplicates::Duplicates;
use crate::error::EngineError;
use crate::scan::{Make, each_window, each_window_of, epoch_day};
use crate::table::{TableRef, merge_by_key};

/// Batches that may wait for a worker: enough to level out, few enough to bound memory.
const QUEUE: usize = 4;

/// Parts of the customers at most: with more of them, a run would read its source for hours.
const MOST_PARTS: usize = 64;

/// Reads the source with this many workers, whose number does not show in the result, and writes the table, sorted by key.
pub(crate) fn run(
    plan: &Aggregate,
    workers: usize,
    budget: &Budget,
    to: &Path,
) -> Result<(TableRef, RowCounts), EngineError> {
    let passes = Passes::new(plan, workers, budget)?;
    let mut done: Vec<TableRef> = Vec::new();
    let mut counts = None;
    let mut missing = vec![Part { number: 0, of: 1 }];
    while let Some(part) = missing.pop() {
        let file = match part.of {
            1 => to.to_owned(),
            _ => beside(to, done.len()),
        };
        match passes.read(part, &file)? {
            Pass::Done(table, found) => {
                done.push(table);
                counts.get_or_insert(found);
            }
            Pass::Full(held) => {
                missing.push(part);
                if part.of * 2 > MOST_PARTS {
                    return Err(held.refusal(part, budget));
                }
                missing = missing.into_iter().flat_map(Part::halves).collect();
            }
        }
        if !missing.is_empty() {
            budget.note_further_pass();
        }
    }
    let table = match <[TableRef; 1]>::try_from(done) {
        Ok([table]) => table,
        Err(parts) => merge_by_key(&parts, budget, to)?,
    };
    Ok((table, counts.unwrap_or_default()))
}

/// Reads the files of several plans, which read them in the same way, once, and writes the table of each, as [`run`] does. None where
/// the customers of all of them take more than the run may take.
pub(crate) fn run_together(
    plans: &[(&Aggregate, &Path)],
    workers: usize,
    budget: &Budget,
) -> Result<Option<Vec<(TableRef, RowCounts)>>, EngineError> {
    let passes = plans
        .iter()
        .map(|(plan, _)| Passes::new(plan, workers, budget));
    let passes = passes.collect::<Result<Vec<_>, _>>()?;
    let all = Part { number: 0, of: 1 };
    let paths = plans.iter().map(|(_, to)| *to);
    let once: Vec<_> = passes
        .iter()
        .zip(paths)
        .map(|(passes, to)| (passes, all, to))
        .collect();
    let done = read(&once)?.into_iter().map(|pass| match pass {
        Pass::Done(table, counts) => Some((table, counts)),
        Pass::Full(_) => None,
    });
    Ok(done.collect())
}

/// The customers of whose keys' hashes the upper part, as one of `of` equal parts, is this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    number: usize,
    of: usize,
}

impl Part {
    fn halves(self) -> [Self; 2] {
        [0, 1].map(|half| Self {
            number: self.number * 2 + half,
            of: self.of * 2,
        })
    }
}

/// The file of a part of the table that will be in this file.
fn beside(to: &Path, number: usize) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".part-{number}"));
    PathBuf::from(name)
}

/// What became of a pass.
enum Pass {
    /// Its customers are in this table; every row is counted.
    Done(TableRef, RowCounts),
    /// Its customers take more than the run may take.
    Full(Held),
}

/// What a pass held when it ended too early.
struct Held {
    customers: usize,
}

impl Held {
    /// The error of a run that cannot do with as many parts as there may be.
    fn refusal(&self, part: Part, budget: &Budget) -> EngineError {
        let what = format!(
            "the aggregates of more than {} customers, of whom one in {} was kept at a time,",
            grouped((self.customers * part.of) as u64),
            part.of
        );
        budget.refusal(budget.limit_bytes().saturating_mul(2), &what)
    }
}

/// What all passes have in common.
struct Passes<'a> {
    plan: &'a Aggregate,
    layout: Layout,
    duplicates: Option<Arc<Duplicates>>,
    workers: usize,
    budget: &'a Budget,
}

impl<'a> Passes<'a> {
    fn new(plan: &'a Aggregate, workers: usize, budget: &'a Budget) -> Result<Self, EngineError> {
        let dedup = plan.rows.dedup.as_ref();
        let duplicates = dedup.map(|dedup| Duplicates::find(&plan.rows, dedup, budget));
        Ok(Self {
            plan,
            layout: Layout::new(&plan.aggs),
            duplicates: duplicates.transpose()?.map(Arc::new),
            workers: workers.max(1),
            budget,
        })
    }

    /// One pass for the customers of this part.
    fn read(&self, part: Part, to: &Path) -> Result<Pass, EngineError> {
        let done = read(&[(self, part, to)])?.pop();
        done.ok_or_else(|| EngineError::internal("a pass that made nothing".to_owned()))
    }

    /// Selects the columns that the accumulators need.
    fn select(&self) -> impl Fn(LazyFrame) -> Result<LazyFrame, EngineError> {
        move |frame| Ok(selected(frame, self.plan, &self.layout))
    }

    fn begin(&self, part: Part) -> Running<'_> {
        let scanner = Scanner::new(self.plan, &self.layout, self.duplicates.clone());
        let first = part.number * self.workers;
        let of = part.of * self.workers;
        let own = first..first + self.workers;
        let own = own.map(|number| Worker::new(&self.layout, number, of, self.budget));
        Running {
            scanner: Arc::new(Mutex::new(scanner)),
            workers: own.collect(),
        }
    }

    /// Writes the table.
    fn finish(&self, running: &Running<'_>, to: &Path) -> Result<Pass, EngineError> {
        let (plan, layout, workers) = (self.plan, &self.layout, &running.workers);
        if let Some((value, number)) = workers.iter().find_map(|worker| worker.unsummable) {
            return Err(EngineError::Unsummable {
                name: plan.rows.scan.source.clone(),
                expression: layout.values[value].to_string(),
                value: number,
            });
        }
        let naming = Naming {
            source: &plan.rows.scan.source,
            key: &plan.rows.key,
            key_is_text: key_type(&plan.rows) != Type::Int,
        };
        let as_of_day = epoch_day(plan.rows.as_of);
        let table = finish::finish(workers, layout, &naming, as_of_day, to)?;
        let scanner = lock(&running.scanner);
        let counts = RowCounts {
            usual_gap_days: scanner.days.usual_gap(),
            ..scanner.counts.clone()
        };
        Ok(Pass::Done(table, counts))
    }
}

/// A pass while the source is read.
struct Running<'l> {
    scanner: Arc<Mutex<Scanner>>,
    workers: Vec<Worker<'l>>,
}

/// Counts the rows of a pass and sends them to its workers.
type Sending = (Arc<Mutex<Scanner>>, Arc<Mutex<Vec<SyncSender<Arc<Batch>>>>>);

/// One pass each, over files that are read once. All of them are full where one is.
fn read(passes: &[(&Passes<'_>, Part, &Path)]) -> Result<Vec<Pass>, EngineError> {
    let begun = passes.iter().map(|(passes, part, _)| passes.begin(*part));
    let mut running: Vec<Running<'_>> = begun.collect();
    let is_full = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), EngineError> {
        let mut sending: Vec<Sending> = Vec::new();
        let mut threads = Vec::new();
        for pass in &mut running {
            let mut senders = Vec::new();
            for worker in &mut pass.workers {
                let (sender, receiver): (SyncSender<Arc<Batch>>, Receiver<Arc<Batch>>) =
                    sync_channel(QUEUE);
                senders.push(sender);
                let is_full = &is_full;
                threads.push(scope.spawn(move || work(worker, &receiver, is_full)));
            }
            sending.push((pass.scanner.clone(), Arc::new(Mutex::new(senders))));
        }
        let scanned = scan(passes, &sending);
        // The senders close, and the workers end.
        drop(sending);
        for thread in threads {
            let stopped = |_| EngineError::internal("an aggregation worker stopped".to_owned());
            thread.join().map_err(stopped)??;
        }
        scanned
    })?;
    let done = passes.iter().zip(&running);
    if is_full.into_inner() {
        let full = done.map(|(_, running)| {
            let customers = running.workers.iter();
            Pass::Full(Held {
                customers: customers.map(|worker| worker.customers.len()).sum(),
            })
        });
        return Ok(full.collect());
    }
    let finished = done.map(|((passes, _, to), running)| passes.finish(running, to));
    finished.collect()
}

/// Reads the files and sends every batch to the workers of every pass.
fn scan(passes: &[(&Passes<'_>, Part, &Path)], sending: &[Sending]) -> Result<(), EngineError> {
    let selects: Vec<_> = passes.iter().map(|(passes, ..)| passes.select()).collect();
    let rows = passes.iter().map(|(passes, ..)| &passes.plan.rows);
    let plans = rows.zip(&selects);
    let plans: Vec<(&SourceRows, Make<'_>)> = plans
        .map(|(rows, select)| (rows, select as Make<'_>))
        .collect();
    if let ([(rows, select)], [(scanner, senders)]) = (plans.as_slice(), sending) {
        let files = 0..rows.scan.files.len();
        return each_window(rows, files, false, *select, &mut |frame| {
            drain(frame, scanner, senders)
        });
    }
    each_window_of(&plans, &mut |number, frame| {
        let (scanner, senders) = &sending[number];
        drain(frame, scanner, senders)
    })
}

/// Takes batches until there are none, or until the customers take more memory than they may.
fn work(
    worker: &mut Worker<'_>,
    batches: &Receiver<Arc<Batch>>,
    is_full: &AtomicBool,
) -> Result<(), EngineError> {
    for batch in batches {
        if !worker.take(&batch)? {
            is_full.store(true, Ordering::Relaxed);
        }
        if is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
    worker.close()
}
