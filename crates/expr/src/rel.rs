//! Relational plans: what is to be read and computed, without saying how. An engine runs them.
//!
//! Three shapes suffice: [`Aggregate`] turns the rows of one source into one row per customer in a single pass,
//! [`Assemble`] puts the per-source tables side by side for a base of customers, [`Project`] computes columns from columns.

mod counts;
mod join;
mod sample;
mod stored;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use tessera_spec::pipeline::ColumnForm;

use crate::aggregate::AggOp;
use crate::analysis::columns;
use crate::tree::{Expr, Literal, Type};

pub use counts::{Early, Gap, Money, RowCounts, Unseen};
pub use join::{Join, JoinedColumn};
pub use sample::{Drawn, Sample};
pub use stored::Stored;

/// Files of one source, read as one table. Columns are matched by name; what a file holds is brought to the types given here,
/// and a column that it does not hold is null in its rows.
///
/// Row order: files in the order of `files`, rows in the order of their file; whatever says "first", "last" or "earlier" means it.
/// Nulls: a value that the files do not hold, that does not convert to its type, or that cannot be represented. Invariants: times
/// are local times of `timezone`; floats are finite; derived columns are made from top to bottom, each [`Join`] between two of them,
/// and a derived column that has the name of a column of the files stands in its place from there on.
///
/// ```text
/// in   id | day        | amount     derive   t = cast(day as date)     out  id | day        | amount | t
///      a  | 2026-01-01 | 10                                                 a  | 2026-01-01 | 10     | 2026-01-01
///      a  | 01.02.2026 | 20                                                 a  | 01.02.2026 | 20     | null
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Name of the source, for messages.
    pub source: String,
    /// Files in reading order (sorted by path).
    pub files: Vec<PathBuf>,
    /// The files of the lake that `files` were made from, one each; empty where they are the lake's own.
    pub origins: Vec<PathBuf>,
    /// The stamp of each of `files` when the lake was listed; empty where they are the program's own.
    pub stamps: Vec<FileStamp>,
    /// sha256 of the footer of each of `files`, in hexadecimal digits; empty where they are the program's own.
    pub footers: Vec<String>,
    /// Encoding of every file.
    pub format: ScanFormat,
    /// Columns the plan may use.
    pub columns: Vec<ScanColumn>,
    /// The files in their order, as groups that are read alike.
    pub groups: Vec<FileGroup>,
    /// For each file, the values of the columns that stand in its path ([`Stored::HivePath`]), in the order of `columns`.
    pub path_values: Vec<Vec<Literal>>,
    /// Zone that local times are expressed in.
    pub timezone: chrono_tz::Tz,
    /// Zone that naive timestamps are in.
    pub naive_zone: Option<chrono_tz::Tz>,
    /// Columns computed from the columns above, in order; later ones may use earlier ones.
    pub derive: Vec<(String, Expr)>,
    /// What is joined, in order; no joined column has the name of another column.
    pub joins: Vec<Join>,
}

impl Scan {
    /// The same without its files, of which there may be many, and what is joined to them: with these columns.
    #[must_use]
    pub fn of_columns(&self, columns: Vec<ScanColumn>) -> Self {
        Self {
            source: self.source.clone(),
            files: Vec::new(),
            origins: Vec::new(),
            stamps: Vec::new(),
            footers: Vec::new(),
            format: self.format,
            columns,
            groups: Vec::new(),
            path_values: Vec::new(),
            timezone: self.timezone,
            naive_zone: self.naive_zone,
            derive: self.derive.clone(),
            joins: Vec::new(),
        }
    }

    /// The groups of files, one of each form: those of others are read as one of these.
    pub fn forms(&self) -> Vec<&FileGroup> {
        let mut forms: Vec<&FileGroup> = Vec::new();
        for group in &self.groups {
            if !forms.iter().any(|known| known.is_read_as(group)) {
                forms.push(group);
            }
        }
        forms
    }

    /// The file of the lake that a file of the scan holds.
    pub fn lake_file<'a>(&'a self, file: &'a Path) -> &'a Path {
        let place = self.files.iter().position(|known| known == file);
        place.map_or(file, |place| self.lake_file_at(place))
    }

    /// The file of the lake that the file at a place of the scan holds.
    pub fn lake_file_at(&self, place: usize) -> &Path {
        self.origins.get(place).unwrap_or(&self.files[place])
    }

    /// Whether the same columns are read of the same files in the same way. What is made of them by each plan, such as derived and
    /// joined columns, may differ.
    pub fn reads_alike(&self, other: &Self) -> bool {
        self.source == other.source
            && self.files == other.files
            && self.origins == other.origins
            && self.stamps == other.stamps
            && self.footers == other.footers
            && self.format == other.format
            && self.columns == other.columns
            && self.groups == other.groups
            && self.path_values == other.path_values
            && self.timezone == other.timezone
            && self.naive_zone == other.naive_zone
    }

    /// Type of a column: derived, joined, or of the files.
    pub fn column_type(&self, name: &str) -> Option<Type> {
        let derived = self.derive.iter().rev().find(|(made, _)| made == name);
        let mut joined = self.joins.iter().flat_map(|join| &join.columns);
        let joined = joined.find(|column| column.name == name);
        let stored = self.columns.iter().find(|column| column.name == name);
        let derived = derived.map(|(_, expr)| expr.ty);
        let joined = joined.map(|column| column.ty);
        derived.or(joined).or(stored.map(|column| column.ty))
    }
}

/// Data by which a changed file is recognised without reading its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Its size.
    pub bytes: u64,
    /// When its content was last changed, in nanoseconds since 1970; programs can set any value.
    pub modified_ns: i128,
    /// When the file or its attributes were last changed; only the operating system sets it.
    pub changed_ns: i128,
    /// The file system, and the number of the file in it.
    pub identity: (u64, u64),
}

impl FileStamp {
    /// The stamp by what the operating system says of the file.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            bytes: metadata.len(),
            modified_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
            identity: (metadata.dev(), metadata.ino()),
        }
    }

    /// How the file of a later stamp differs; none if it does not.
    pub fn difference(&self, later: &Self) -> Option<String> {
        if self.identity != later.identity {
            return Some("another file has taken its place".to_owned());
        }
        if self.bytes != later.bytes {
            return Some(format!(
                "it had {} bytes and now has {}",
                self.bytes, later.bytes
            ));
        }
        (self != later).then(|| "it was written to".to_owned())
    }
}

/// Encodings an engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFormat {
    /// Parquet files of the lake.
    Parquet,
    /// Parquet files made from text files of the lake: a row for each record, in their order; every column text, beside the
    /// column [`FAULT`].
    Text,
}

/// Of a scan of text: what is wrong with a record that has no fields, as a JSON object with `line`, `problem` and `record`;
/// null for sound records. All other columns of a broken record are null.
pub const FAULT: &str = "\u{1f}fault";

/// What names of columns that only the program sees begin with: a control character, so that no column of a lake is taken for one.
pub const OWN: char = '\u{1f}';

/// The rule that broken records of text files break.
pub const RECORD_RULE: &str = "the record is broken";

/// A column of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanColumn {
    /// Name in the file, or of the Hive partition.
    pub name: String,
    /// Type the plan sees.
    pub ty: Type,
    /// How the files hold it: one form for all groups, or [`Stored::Mixed`].
    pub stored: Stored,
    /// Some files hold it in a form of which not every value converts: a value that does not makes its row a broken one.
    pub may_break: bool,
    /// Smallest and largest integer of the declared type, where that has fewer than 64 bits; others do not convert.
    pub bounds: Option<(i64, i64)>,
    /// How its texts or integers stand for values of the type.
    pub form: ColumnForm,
}

impl ScanColumn {
    /// Whether a value that files hold like this may not convert.
    pub fn breaks_as(&self, stored: &Stored) -> bool {
        let exceeds = |bounds| self.ty == Type::Int && stored.exceeds(bounds);
        stored.may_break(self.ty) || self.bounds.is_some_and(exceeds)
    }

    /// Whether files may hold floats of it, of which NaN and infinite ones are read as null.
    pub fn may_hold_floats(&self) -> bool {
        self.ty == Type::Float && matches!(self.stored, Stored::Float { .. } | Stored::Mixed)
    }
}

/// Consecutive files whose columns are read in one form each.
#[derive(Debug, Clone, PartialEq)]
pub struct FileGroup {
    /// Number of files.
    pub files: usize,
    /// How these hold each column of the scan, widened over them; `None` where none of them has it, or has more than nulls.
    pub stored: Vec<Option<Stored>>,
    /// Some of these files lack a column that others of them have.
    pub has_gaps: bool,
}

impl FileGroup {
    /// Whether the files of another group are read in the same way.
    pub fn is_read_as(&self, other: &Self) -> bool {
        self.has_gaps == other.has_gaps && self.stored == other.stored
    }
}

/// What the contract says of a row that meets a check. Engines carry it and do not look at it: they classify and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RowOutcome {
    Quarantine,
    Drop,
    Fail,
    /// Does not concern the pipeline.
    Filter,
}

/// What happens to a value that does not convert to the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconverted {
    /// Its row is rejected, by a rule that applies before all checks.
    TakesOut(RowOutcome),
    /// It becomes null and is counted.
    Null,
}

/// A named condition that rejects or filters a row. Checks apply in order; the first that is true decides.
#[derive(Debug, Clone, PartialEq)]
pub struct RowCheck {
    /// Rule name shown in `rejects`.
    pub rule: String,
    /// The row is rejected or filtered if this is true (not if it is null).
    pub bad_when: Expr,
    /// What happens to it.
    pub outcome: RowOutcome,
    /// It rejects rows with a value that does not convert, as [`Unconverted`] says.
    pub conversion: bool,
}

/// How repeated rows are found.
#[derive(Debug, Clone, PartialEq)]
pub struct Dedup {
    /// Identifying columns; every column of the scan when empty.
    pub columns: Vec<String>,
    /// What happens to all but the first in file and row order.
    pub outcome: RowOutcome,
}

/// The days that decide which rows are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoff {
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// What became known on a later day is not known.
    pub known_by: NaiveDate,
}

/// The rows of one source that are visible at `as_of` and are used.
///
/// A row is visible if `time` is null or its local date is at most `as_of` (the same for `known_at` and `known_by`), and not before
/// `not_before`, whether these are columns of the files, of the path, or derived. Visible rows pass the leading checks, the conversions of their
/// values, the other checks in order, then the search for repeated rows. What is left is used. Rows keep the order of files and of
/// rows in a file.
///
/// ```text
/// time 2026-11-02, as_of 2026-11-01   not visible: future
/// known_at 2026-11-02, known_by 11-01 not visible: unknown
/// day before not_before               not visible: pruned
/// text `x` in a column of numbers     visible, taken out by the rule of that column
/// bad_when is true                    visible, taken out by the first such check
/// bad_when is false or null           visible, passes
/// equal to an earlier row that passed visible, repeated
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRows {
    /// Files and columns.
    pub scan: Scan,
    /// The customer's key; of a lookup, whose rows are those of no customer, a constant.
    pub key: String,
    /// Time of a row, if the source has one.
    pub time: Option<String>,
    /// End of validity, exclusive: values after `as_of` are not known yet and read as null.
    pub until: Option<String>,
    /// When a row became known.
    pub known_at: Option<String>,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// Rows that became known on a later local day are not visible.
    pub known_by: NaiveDate,
    /// Rows on earlier local days need not be read, because no aggregate uses them and no key depends on them.
    pub not_before: Option<NaiveDate>,
    /// Columns of the files that the plan uses: a time in one of them that cannot be represented makes a broken row.
    pub in_range: BTreeSet<String>,
    /// Values of these that do not convert, and texts.
    pub unconverted: Unconverted,
    /// The filter where it excludes a row, contract, then the filter where it is null.
    pub checks: Vec<RowCheck>,
    /// How many of the checks, the first ones, decide before values that do not convert.
    pub leading: usize,
    /// Conversions within expressions that fail and read as null, in words, and for which rows that is so: rows that pass the checks
    /// are counted by them.
    pub read_as_null: Vec<(String, Expr)>,
    /// Search for repeated rows among those that passed.
    pub dedup: Option<Dedup>,
    /// The part of the customers whose rows are used; all by default.
    pub sample: Option<Sample>,
    /// The part of the customers whose rows are read: those of others are neither classified nor counted. For passes whose counts
    /// nobody asks for, without a search for repeated rows of several customers.
    pub only: Option<Drawn>,
    /// The money of a row, whose signs are counted where the plan reads it anyway.
    pub amount: Option<Expr>,
}

impl SourceRows {
    /// The same over another scan.
    #[must_use]
    pub fn over(&self, scan: Scan) -> Self {
        Self {
            scan,
            key: self.key.clone(),
            time: self.time.clone(),
            until: self.until.clone(),
            known_at: self.known_at.clone(),
            as_of: self.as_of,
            known_by: self.known_by,
            not_before: self.not_before,
            in_range: self.in_range.clone(),
            unconverted: self.unconverted,
            checks: self.checks.clone(),
            leading: self.leading,
            read_as_null: self.read_as_null.clone(),
            dedup: self.dedup.clone(),
            sample: self.sample,
            only: self.only,
            amount: self.amount.clone(),
        }
    }

    /// Whether a column identifies the customer: the key, or what a map of keys replaces.
    pub fn is_key(&self, name: &str) -> bool {
        let maps = self.scan.joins.iter().filter(|join| join.is_chained);
        let mut replaced = maps.flat_map(|join| &join.on);
        name == self.key || replaced.any(|(own, _)| columns(own).contains(name))
    }
}

/// One row per key: every aggregate in one pass over the rows. Output: the key, then the aggregates.
///
/// Row order of the output: by key, integers by value, texts byte by byte. Nulls: as each aggregate says; the key has none.
/// Invariants: every key with a used row has one row, also where no window holds any of its rows; the order of rows shows in those
/// that take the earliest or latest value alone; the number of threads shows nowhere.
///
/// ```text
/// in   key | day        | amount    as_of 2026-01-31   count, sum(amount) of 30d     out  key | count | sum
///      b   | 2026-01-30 | 5                                                               a   | 1     | 10.0
///      a   | 2026-01-02 | 10                                                              b   | 1     | 5.0
///      c   | 2025-06-01 | 7                                                               c   | 0     | 0.0
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What is read.
    pub rows: SourceRows,
    /// What is computed.
    pub aggs: Vec<Agg>,
    /// Columns that are wanted of some customers only.
    pub sparse: Option<Sparse>,
}

/// Columns that are null but for the customers of whom an aggregate of the same plan counts a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    /// Name of the aggregate that counts.
    pub count: String,
    /// Names of the columns.
    pub columns: BTreeSet<String>,
}

/// One aggregate. Sums are exact and then rounded once, so that no order of rows or threads shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Agg {
    /// Name of the output column.
    pub name: String,
    /// What is computed.
    pub func: AggOp,
    /// Rows on local days in (as_of - offset - days, as_of - offset]; all visible rows when absent.
    pub window: Option<Window>,
    /// Rows for which this is true.
    pub filter: Option<Expr>,
}

/// Days that a window holds: local dates in `(as_of - offset_days - days, as_of - offset_days]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Length; unbounded to the past when absent.
    pub days: Option<u32>,
    /// Days from the end of the window to `as_of`.
    pub offset_days: u32,
}

/// Keys of the base with the columns of several per-key tables beside them, and columns computed from those.
///
/// Keys are integers where they are so in every table. Otherwise they are texts, and an integer is the text of its digits: the
/// customer `17850` of one table is the customer 17850 of another. Texts are compared as they are: `0017850` is another customer.
///
/// Row order: by key. Nulls: where a table has no row of a key, but 0 in the columns of `zero_when_absent`. Invariants: the keys are
/// those of the tables `in_base`, each once; no row of a table counts twice, since each has one row per key.
///
/// ```text
/// in   key | orders  (in base)     key | tickets       out  key | orders | tickets
///      a   | 3                     a   | 1                  a   | 3      | 1
///      b   | 1                     c   | 2                  b   | 1      | 0
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Assemble {
    /// Name of the key column in the output.
    pub key: String,
    /// Per-key tables.
    pub tables: Vec<KeyedTable>,
    /// Date that `as_of()` stands for.
    pub as_of: NaiveDate,
    /// Zone of timestamps.
    pub timezone: chrono_tz::Tz,
    /// Columns to add: name and expression. Later columns may use earlier ones.
    pub columns: Vec<(String, Expr)>,
    /// Whether the ways in which the tables write their keys are compared.
    pub compare_keys: bool,
}

/// A table with one row per key: the output of an [`Aggregate`], whose first column is the key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyedTable {
    /// The stage file.
    pub path: PathBuf,
    /// Its keys are part of the base of customers.
    pub in_base: bool,
    /// Columns that are 0, not null, for a customer without rows here: counts and sums.
    pub zero_when_absent: Vec<String>,
    /// The column that counts the used rows of a key; it is no column of the output.
    pub rows: Option<String>,
    /// The part of its keys that count; all by default. The others are as if the table did not have them.
    pub only: Option<Sample>,
}

/// Columns computed from the columns of one table, row by row. Later columns may use earlier ones.
///
/// Row order and rows: those of the table. Nulls: as the expressions say; a conversion that fails is null. Invariants: no row sees
/// another one.
///
/// ```text
/// in   key | orders | spend     aov = spend / orders     out  key | orders | spend | aov
///      a   | 3      | 30.0                                    a   | 3      | 30.0  | 10.0
///      b   | 0      | 0.0                                     b   | 0      | 0.0   | null
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Date that `as_of()` stands for.
    pub as_of: NaiveDate,
    /// Zone of timestamps.
    pub timezone: chrono_tz::Tz,
    /// Columns to add: name and expression.
    pub columns: Vec<(String, Expr)>,
}
