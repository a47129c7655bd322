//! As many passes over a source as the states of its customers need. Where all of them take more than the run may take, each
//! pass reads every row and keeps the customers of one part, which the hash of the key decides.
//!
//! A customer belongs to one part, so each state is what it is after a single pass, and the tables of the parts, merged by key,
//! are the table of a single pass.
//!
//! Several plans that read the same files share a pass. Where their states take too much together, all but the first are given up.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use polars::prelude::LazyFrame;
use tessera_expr::Type;
use tessera_expr::rel::{Aggregate, Drawn, RowCounts, SourceRows};
use tessera_spec::shown::grouped;

use super::batch::Batch;
use super::finish::{self, Naming};
use super::layout::Layout;
use super::lowest::Lowest;
use super::worker::Worker;
use super::{Scanner, drain, key_type, lock, selected};
use crate::budget::Budget;
use crate::drawn::drawn;
use crate::duplicates::Duplicates;
use crate::error::EngineError;
use crate::scan::{Make, each_window, each_window_of, epoch_day};
use crate::table::{TableRef, merge_by_key};

/// Batches that may wait for a worker: enough to level out, few enough to bound memory.
const QUEUE: usize = 4;

/// Parts of the customers at most: with more of them, a run would read its source for hours.
const MOST_PARTS: usize = 64;

/// What a pass over a source made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) table: TableRef,
    pub(crate) counts: RowCounts,
    /// The lowest hash of a customer that was left out, where a plan keeps the lowest.
    pub(crate) left_out: Option<u64>,
    /// Of the first plan: the files, by their places, that may have rows which bounds on their columns keep out.
    pub(crate) hiding: Option<Vec<usize>>,
}

/// Reads the files of several plans, which read them in the same way, once, with this many workers each, whose number does not show
/// in the result, and writes the table of each, sorted by key. The first has the memory of the run before the others: it is made in
/// any case, in further passes if need be, and there is none of others that need more than is left.
pub(crate) fn run_together(
    plans: &[(&Aggregate, &Path)],
    workers: usize,
    budget: &Budget,
) -> Result<Vec<Option<Made>>, EngineError> {
    let passes = plans
        .iter()
        .map(|(plan, _)| Passes::new(plan, workers, budget));
    let passes = passes.collect::<Result<Vec<_>, _>>()?;
    let paths = plans.iter().map(|(_, to)| *to);
    let once: Vec<_> = passes
        .iter()
        .zip(paths)
        .map(|(passes, to)| (passes, Part::ALL, to))
        .collect();
    let mut made = Vec::with_capacity(plans.len());
    let (read, hiding) = read(&once)?;
    for (pass, (passes, _, to)) in read.into_iter().zip(&once) {
        made.push(match pass {
            Pass::Done(made) => Some(made),
            // The lowest of a part of the customers are not those of all.
            Pass::Full(_) if passes.lowest.is_none() => Some(passes.in_parts(to)?),
            Pass::Full(_) | Pass::GivenUp => None,
        });
    }
    if let Some(Some(first)) = made.first_mut() {
        first.hiding = hiding;
    }
    Ok(made)
}

/// The table of a plan without a customer: there was no memory for those with the lowest hashes.
pub(crate) fn nobody(plan: &Aggregate, budget: &Budget, to: &Path) -> Result<Made, EngineError> {
    let passes = Passes {
        plan,
        layout: Layout::new(&plan.aggs),
        duplicates: None,
        lowest: None,
        workers: 1,
        budget,
    };
    let running = passes.begin(Part::ALL);
    let table = passes.table(&running, None, to)?;
    Ok(Made {
        table,
        counts: RowCounts::default(),
        left_out: Some(0),
        hiding: None,
    })
}

/// The customers of whose keys' hashes the upper part, as one of `of` equal parts, is this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    number: usize,
    of: usize,
}

impl Part {
    /// All customers.
    const ALL: Self = Self { number: 0, of: 1 };

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
    /// Its customers are in the table; every row is counted.
    Done(Made),
    /// Its customers take more than the run may take.
    Full(Held),
    /// It made room for the first pass.
    GivenUp,
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
    lowest: Option<Arc<Lowest>>,
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
            lowest: match plan.rows.only {
                Some(Drawn::Lowest(most)) => Some(Arc::new(Lowest::new(most))),
                Some(Drawn::Share(_)) | None => None,
            },
            workers: workers.max(1),
            budget,
        })
    }

    /// One pass after the other, for a part of the customers each, after a pass for all of them that was full.
    fn in_parts(&self, to: &Path) -> Result<Made, EngineError> {
        let mut done: Vec<TableRef> = Vec::new();
        let mut counts = None;
        let mut missing = Part::ALL.halves().to_vec();
        while let Some(part) = missing.pop() {
            self.budget.note_further_pass();
            match self.read(part, &beside(to, done.len()))? {
                Pass::Done(made) => {
                    done.push(made.table);
                    counts.get_or_insert(made.counts);
                }
                Pass::Full(held) => {
                    missing.push(part);
                    if part.of * 2 > MOST_PARTS {
                        return Err(held.refusal(part, self.budget));
                    }
                    missing = missing.into_iter().flat_map(Part::halves).collect();
                }
                Pass::GivenUp => {
                    let what = "a pass that was given up alone".to_owned();
                    return Err(EngineError::internal(what));
                }
            }
        }
        Ok(Made {
            table: merge_by_key(&done, self.budget, to)?,
            counts: counts.unwrap_or_default(),
            left_out: None,
            hiding: None,
        })
    }

    /// One pass for the customers of this part.
    fn read(&self, part: Part, to: &Path) -> Result<Pass, EngineError> {
        let done = read(&[(self, part, to)])?.0.pop();
        done.ok_or_else(|| EngineError::internal("a pass that made nothing".to_owned()))
    }

    /// Selects the columns that the accumulators need, of the customers that may be kept.
    fn select(&self) -> impl Fn(LazyFrame) -> Result<LazyFrame, EngineError> {
        move |frame| {
            let frame = match self.lowest.clone() {
                Some(lowest) => {
                    frame.filter(drawn(&self.plan.rows, move |hash| lowest.may_keep(hash)))
                }
                None => frame,
            };
            Ok(selected(frame, self.plan, &self.layout))
        }
    }

    fn begin(&self, part: Part) -> Running<'_> {
        let scanner = Scanner::new(self.plan, &self.layout, self.duplicates.clone());
        let first = part.number * self.workers;
        let of = part.of * self.workers;
        let own = first..first + self.workers;
        let own = own.map(|number| {
            let lowest = self.lowest.clone();
            Worker::new(&self.layout, (number, of), lowest, self.budget)
        });
        Running {
            scanner: Arc::new(Mutex::new(scanner)),
            workers: own.collect(),
        }
    }

    /// Writes the table.
    fn finish(&self, running: &Running<'_>, to: &Path) -> Result<Pass, EngineError> {
        let mut workers = running.workers.iter();
        if let Some((value, number)) = workers.find_map(|worker| worker.unsummable) {
            return Err(EngineError::Unsummable {
                name: self.plan.rows.scan.source.clone(),
                expression: self.layout.values[value].to_string(),
                value: number,
            });
        }
        let left_out = self.lowest.as_ref().and_then(|lowest| lowest.left_out());
        let table = self.table(running, left_out, to)?;
        let scanner = lock(&running.scanner);
        let counts = RowCounts {
            usual_gap_days: scanner.days.usual_gap(),
            longest_gap_days: scanner.days.longest_gap(),
            gaps: scanner.days.gaps(scanner.as_of_day),
            early: scanner.days.early(scanner.as_of_day),
            ..scanner.counts.clone()
        };
        Ok(Pass::Done(Made {
            table,
            counts,
            left_out,
            hiding: None,
        }))
    }

    fn table(
        &self,
        running: &Running<'_>,
        left_out: Option<u64>,
        to: &Path,
    ) -> Result<TableRef, EngineError> {
        let rows = &self.plan.rows;
        let naming = Naming {
            source: &rows.scan.source,
            key: &rows.key,
            key_is_text: key_type(rows) != Type::Int,
        };
        let of = (epoch_day(rows.as_of), left_out);
        let to = (self.plan.sparse.as_ref(), to);
        finish::finish(&running.workers, &self.layout, &naming, of, to)
    }
}

/// A pass while the source is read.
struct Running<'l> {
    scanner: Arc<Mutex<Scanner>>,
    workers: Vec<Worker<'l>>,
}

/// Counts the rows of a pass and sends them to its workers.
type Sending = (Arc<Mutex<Scanner>>, Arc<Mutex<Vec<SyncSender<Arc<Batch>>>>>);

/// Which of the passes over a source the memory of the run allows.
struct Room {
    /// Workers of passes that may be given up, and have not been.
    others: AtomicUsize,
    /// Only the first pass goes on.
    is_alone: AtomicBool,
    /// The first pass is full.
    is_full: AtomicBool,
}

impl Room {
    fn new(others: usize) -> Self {
        Self {
            others: AtomicUsize::new(others),
            is_alone: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
        }
    }

    /// Memory is used up. The first pass is full only where that is so without the others.
    fn exceeded(&self) {
        if self.others.load(Ordering::Acquire) == 0 {
            self.is_full.store(true, Ordering::Relaxed);
        }
        self.is_alone.store(true, Ordering::Relaxed);
    }

    /// The source is read, and the other passes are given up, if memory was used up. They may have made room after the last row of
    /// the first pass: whether it is full does not depend on when.
    fn settle(&self, budget: &Budget) {
        if self.is_alone.load(Ordering::Relaxed) && !budget.states_fit() {
            self.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a pass goes on.
    fn has(&self, number: usize) -> bool {
        let limits = if number == 0 {
            &self.is_full
        } else {
            &self.is_alone
        };
        !limits.load(Ordering::Relaxed)
    }
}

/// The files of a scan that may have rows which bounds on their columns keep out of the first plan; `None` where not all were read.
type Hiding = Option<Vec<usize>>;

/// One pass each, over files that are read once.
fn read(passes: &[(&Passes<'_>, Part, &Path)]) -> Result<(Vec<Pass>, Hiding), EngineError> {
    let begun = passes.iter().map(|(passes, part, _)| passes.begin(*part));
    let mut running: Vec<Running<'_>> = begun.collect();
    let others = running.iter().skip(1).map(|pass| pass.workers.len());
    let room = Room::new(others.sum());
    let hiding = std::thread::scope(|scope| -> Result<Hiding, EngineError> {
        let mut sending: Vec<Sending> = Vec::new();
        let mut threads = Vec::new();
        for (number, pass) in running.iter_mut().enumerate() {
            let mut senders = Vec::new();
            for worker in &mut pass.workers {
                let (sender, receiver): (SyncSender<Arc<Batch>>, Receiver<Arc<Batch>>) =
                    sync_channel(QUEUE);
                senders.push(sender);
                let room = &room;
                threads.push(scope.spawn(move || work((worker, number), receiver, room)));
            }
            sending.push((pass.scanner.clone(), Arc::new(Mutex::new(senders))));
        }
        let scanned = scan(passes, &sending, &room);
        // The senders close, and the workers end.
        drop(sending);
        for thread in threads {
            let stopped = |_| EngineError::internal("an aggregation worker stopped".to_owned());
            thread.join().map_err(stopped)??;
        }
        scanned
    })?;
    if let Some((first, ..)) = passes.first() {
        room.settle(first.budget);
    }
    let done = passes.iter().zip(&running).enumerate();
    let finished = done.map(|(number, ((passes, _, to), running))| {
        if room.has(number) {
            return passes.finish(running, to);
        }
        if number > 0 {
            return Ok(Pass::GivenUp);
        }
        let customers = running.workers.iter();
        Ok(Pass::Full(Held {
            customers: customers.map(|worker| worker.customers.len()).sum(),
        }))
    });
    Ok((finished.collect::<Result<_, _>>()?, hiding))
}

/// Reads the files and sends every batch to the workers of every pass.
fn scan(
    passes: &[(&Passes<'_>, Part, &Path)],
    sending: &[Sending],
    room: &Room,
) -> Result<Hiding, EngineError> {
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
        if number > 0 && !room.has(number) {
            // Its workers end, and the other passes go on.
            lock(senders).clear();
            return Ok(true);
        }
        let more = drain(frame, scanner, senders)?;
        Ok(more || number > 0 && !room.has(number))
    })
}

/// Takes batches until there are none, or until there is no room for the pass.
fn work(
    (worker, number): (&mut Worker<'_>, usize),
    batches: Receiver<Arc<Batch>>,
    room: &Room,
) -> Result<(), EngineError> {
    for batch in batches {
        if room.has(number) && !worker.take(&batch)? {
            room.exceeded();
        }
        if !room.has(number) {
            break;
        }
    }
    if room.has(number) {
        return worker.close();
    }
    if number > 0 {
        worker.give_up();
        room.others.fetch_sub(1, Ordering::Release);
    }
    Ok(())
}
