//! `delta/`: every published table as a Delta table, so that programs that know Delta Lake see the versions of a store.
//!
//! Delta version N is what the store held after its version N: of every day the newest version until then, as long as the columns of
//! that day have the types that the newest one has, and as long as it has not expired: no entry adds the files of a version that has.
//! Delta version 0 is the empty table, and one of a commit that is lost changes nothing. A version that takes the place of another one of its day removes that one's file. Like the other hints, all of it
//! follows from the commits: it is written after the commit, is never asked, and is rebuilt where it is missing. Its files are
//! the store's own, under a second name below the Delta table, since readers accept no others.
//!
//! Written for readers of version 1 (the Delta protocol's), but where a table has times without a zone, which need the feature
//! `timestampNtz`. The only times are those of the commits.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};

use crate::commit::{CommittedColumn, run_path, sha256};
use crate::drafts::Drafts;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::listed::{Digested, ListedFile};
use crate::step::Step;
use crate::store::Store;

/// Folder of the Delta tables, and name of this hint.
pub(crate) const FOLDER: &str = "delta";

/// Folder of a table's log, as the protocol names it.
const LOG: &str = "_delta_log";

/// Type of times without a zone, which readers must know of.
const ZONELESS: &str = "timestamp_ntz";

/// Parameter of an entry: the version whose commit is lost.
const LOST: &str = "lostVersion";

/// Parameter of an entry: the days that are left out.
const ABSENT: &str = "absentDays";

/// Name and Delta type of columns, in order.
type Columns = Vec<(String, String)>;

/// Columns of the tables of versions, read once.
type Known = BTreeMap<u64, BTreeMap<String, Columns>>;

/// The log of one table while it is written or compared.
struct Log<'a> {
    store: &'a Store,
    table: &'a str,
    /// Folder of the Delta table.
    root: Arc<Folder>,
    /// Folder of its log.
    folder: Arc<Folder>,
    /// Versions of the store, oldest first.
    versions: &'a [Arc<Digested>],
    /// Those of which no entry adds the files, as these may be gone.
    expired: &'a BTreeSet<u64>,
    /// Number of the next entry.
    next: u64,
    /// Columns by the entry before it.
    columns: Columns,
    /// Of every day the newest version before it, where that has the table.
    live: BTreeMap<NaiveDate, &'a Digested>,
    /// The days among them that are left out, as their columns have other types than those of the newest version.
    absent: BTreeSet<NaiveDate>,
}

/// What an entry states that the next one needs.
struct Stated {
    columns: Columns,
    absent: BTreeSet<NaiveDate>,
}

impl Store {
    /// Writes what the Delta tables lack. Where `thorough`, all entries are compared, otherwise the last one of each table. The
    /// caller holds the lock.
    pub(crate) fn refresh_delta(&self, thorough: bool) -> Result<(), StoreError> {
        let (versions, expired) = (self.digests()?, self.expired()?);
        let folder = self.root.enter_or_make(FOLDER)?;
        let mut known = Known::new();
        let mut drafts = Drafts::new(self);
        for table in tables(&versions) {
            let root = folder.enter_or_make(table)?;
            let entries = root.enter_or_make(LOG)?;
            let mut log = Log::new(self, table, (root, entries), (&versions, &expired));
            if !thorough && log.knows_losses() {
                log.skip();
            }
            if thorough {
                log.surplus()?
                    .iter()
                    .for_each(|name| log.folder.remove(name));
            }
            while let Some((name, bytes)) = log.entry(&mut known, true)? {
                if !log.holds(&name, &bytes) {
                    // Files have their names before an entry refers to them.
                    let folders = (&log.folder, &log.root);
                    drafts.write(Step::ReplaceDelta, folders, name, &bytes)?;
                }
            }
        }
        drafts.place()?;
        folder
            .sync()
            .map_err(|error| StoreError::io("fsync delta", folder.path(), error))
    }

    /// Whether the Delta tables are what the commits say.
    pub(crate) fn delta_fits(&self) -> Result<bool, StoreError> {
        let (versions, expired) = (self.digests()?, self.expired()?);
        let mut known = Known::new();
        for table in tables(&versions) {
            let root = self.root.enter(FOLDER).and_then(|f| f.enter(table));
            let entries = root.and_then(|root| Ok((root.enter(LOG)?, root)));
            let Ok((entries, root)) = entries else {
                return Ok(false);
            };
            let mut log = Log::new(self, table, (root, entries), (&versions, &expired));
            while let Some((name, bytes)) = log.entry(&mut known, false)? {
                if !log.holds(&name, &bytes) {
                    return Ok(false);
                }
            }
            if !log.surplus()?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Names of all tables that a version has.
fn tables(versions: &[Arc<Digested>]) -> BTreeSet<&str> {
    let files = versions.iter().flat_map(|version| version.files.iter());
    files.map(|file| &*file.table).collect()
}

fn entry_name(number: u64) -> String {
    format!("{number:020}.json")
}

impl<'a> Log<'a> {
    /// Before its first entry.
    fn new(
        store: &'a Store,
        table: &'a str,
        (root, folder): (Folder, Folder),
        (versions, expired): (&'a [Arc<Digested>], &'a BTreeSet<u64>),
    ) -> Self {
        Self {
            store,
            table,
            root: Arc::new(root),
            folder: Arc::new(folder),
            versions,
            expired,
            next: 0,
            columns: Columns::new(),
            live: BTreeMap::new(),
            absent: BTreeSet::new(),
        }
    }

    fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        let found = self.folder.read(name).ok().flatten();
        found.as_deref() == Some(bytes)
    }

    /// Number of the last entry.
    fn last(&self) -> u64 {
        self.versions.last().map_or(0, |last| last.version)
    }

    /// The version of this number, unless its commit is lost.
    fn version(&self, number: u64) -> Option<&'a Digested> {
        let versions = self.versions;
        let found = versions.binary_search_by_key(&number, |version| version.version);
        found.ok().map(|place| &*versions[place])
    }

    /// Names of entries behind the last one, of versions whose commits are lost.
    fn surplus(&self) -> Result<Vec<String>, StoreError> {
        let last = entry_name(self.last());
        let names = self.folder.list()?.into_iter();
        Ok(names
            .filter(|name| name.len() == last.len() && name.ends_with(".json") && *name > last)
            .collect())
    }

    /// Whether the entries of versions whose commits are lost say so.
    fn knows_losses(&self) -> bool {
        if self.versions.len() as u64 == self.last() {
            return true;
        }
        let mut lost = (1..self.last()).filter(|number| self.version(*number).is_none());
        lost.all(|number| {
            let found = self.folder.read(&entry_name(number)).ok().flatten();
            found.is_some_and(|bytes| parameter(&bytes, LOST).is_some())
        })
    }

    /// Goes to the last entry that there is, where the one before it can be understood.
    fn skip(&mut self) {
        let there = |number: &u64| self.folder.size(&entry_name(*number)).is_ok();
        let Some(last) = (0..=self.last()).rev().find(there) else {
            return;
        };
        let before = last.checked_sub(1).map(entry_name);
        let before = before.and_then(|name| self.folder.read(&name).ok()?);
        let Some(stated) = before.and_then(|bytes| stated(&bytes)) else {
            return;
        };
        self.next = last;
        for version in self.versions.iter().filter(|known| known.version < last) {
            self.pass(version);
        }
        self.columns = stated.columns;
        self.absent = stated.absent;
    }

    /// A version is among those before the next entry.
    fn pass(&mut self, version: &'a Digested) {
        self.live.remove(&version.as_of);
        self.absent.remove(&version.as_of);
        if self.files(version).is_some() {
            self.live.insert(version.as_of, version);
        }
    }

    /// The files of the table in a version; `None` where it has no such table.
    fn files(&self, version: &'a Digested) -> Option<&'a [ListedFile]> {
        let files = version.files_of(self.table);
        (!files.is_empty()).then_some(files)
    }

    /// The next entry, with its name. Where `naming`, files get the names by which it refers to them.
    fn entry(
        &mut self,
        known: &mut Known,
        naming: bool,
    ) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let number = self.next;
        let Some(first) = self.versions.first().filter(|_| number <= self.last()) else {
            return Ok(None);
        };
        self.next += 1;
        let actions = match self.version(number) {
            _ if number == 0 => self.creation(first, known)?,
            Some(version) => self.change(version, known, naming)?,
            None => self.lost(number),
        };
        let mut text = String::new();
        for action in actions {
            text.push_str(&action.to_string());
            text.push('\n');
        }
        Ok(Some((entry_name(number), text.into_bytes())))
    }

    /// Entry 0: the table without files, with the columns of the first version that has it.
    fn creation(&mut self, first: &Digested, known: &mut Known) -> Result<Vec<Value>, StoreError> {
        let mut having = self.versions.iter().filter(|v| self.files(v).is_some());
        if let Some(version) = having.next() {
            self.columns = self.columns_of(version, known)?;
        }
        let mut actions = vec![info(first, "CREATE TABLE", json!({}))];
        actions.push(protocol(&self.columns));
        actions.push(self.metadata());
        Ok(actions)
    }

    /// The version of this number is lost, so that nothing changes.
    fn lost(&self, number: u64) -> Vec<Value> {
        let mut before = self.versions.iter().rev();
        let before = before.find(|version| version.version < number);
        let Some(of) = before.or(self.versions.first()) else {
            return Vec::new();
        };
        let mut about = json!({ LOST: number.to_string() });
        self.state_absent(&mut about);
        vec![info(of, "WRITE", about), self.metadata()]
    }

    /// States the days that are left out, where there are any.
    fn state_absent(&self, about: &mut Value) {
        if !self.absent.is_empty() {
            about[ABSENT] = listed(self.absent.iter()).into();
        }
    }

    /// What a version changes.
    fn change(
        &mut self,
        version: &'a Digested,
        known: &mut Known,
        naming: bool,
    ) -> Result<Vec<Value>, StoreError> {
        let is_shown = |day: &NaiveDate| !self.absent.contains(day);
        let replaced = Some(version.as_of).filter(is_shown);
        let replaced = replaced.and_then(|day| self.live.get(&day).copied());
        let mut removed: Vec<&Digested> = replaced.into_iter().collect();
        let mut back: Vec<&Digested> = Vec::new();
        let mut added = Vec::new();
        let needed = protocol(&self.columns);
        if let Some(files) = self.files(version) {
            let own = self.columns_of(version, known)?;
            let unlike = self.unlike(&own, version.as_of, known)?;
            let earlier = std::mem::replace(&mut self.columns, own);
            let more = |(name, _): &(String, String)| self.columns.iter().all(|(n, _)| n != name);
            let more: Vec<(String, String)> = earlier.into_iter().filter(more).collect();
            self.columns.extend(more);
            back = self.alike_again(version.as_of, known)?;
            self.absent.extend(unlike.iter().map(|of| of.as_of));
            removed.extend(unlike);
            let back = back.iter().flat_map(|of| {
                let files = self.files(of).unwrap_or_default().iter();
                files.map(move |file| (*of, file))
            });
            for (of, file) in back.chain(files.iter().map(|file| (version, file))) {
                if self.has(of, file, naming)? {
                    added.push(add(of, file));
                }
            }
        }
        for of in &back {
            self.absent.remove(&of.as_of);
        }
        self.pass(version);
        let mode = if removed.is_empty() {
            "Append"
        } else {
            "Overwrite"
        };
        let mut about = json!({
            "mode": mode, "version": version.version.to_string(), "asOf": version.as_of.to_string(),
            "removedDays": listed(removed.iter().map(|of| &of.as_of)),
        });
        self.state_absent(&mut about);
        if !back.is_empty() {
            about["returnedDays"] = listed(back.iter().map(|of| &of.as_of)).into();
        }
        let mut actions = vec![info(version, "WRITE", about)];
        let needs = protocol(&self.columns);
        actions.extend((needs != needed).then_some(needs));
        actions.push(self.metadata());
        for old in removed {
            let files = self.files(old).unwrap_or_default().iter();
            actions.extend(files.map(|file| remove(old, file, version)));
        }
        actions.extend(added);
        Ok(actions)
    }

    /// Versions of other days whose columns have other types, so that no reader can read them as one table any more. Earlier Delta
    /// versions still have them.
    fn unlike(
        &self,
        own: &Columns,
        day: NaiveDate,
        known: &mut Known,
    ) -> Result<Vec<&'a Digested>, StoreError> {
        if !differ(&self.columns, own) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let others = self.live.values().filter(|of| of.as_of != day);
        for version in others.filter(|of| !self.absent.contains(&of.as_of)) {
            if differ(&self.columns_of(version, known)?, own) {
                found.push(*version);
            }
        }
        Ok(found)
    }

    /// Versions of other days that were left out, and whose columns have the types of the newest version again.
    fn alike_again(
        &self,
        day: NaiveDate,
        known: &mut Known,
    ) -> Result<Vec<&'a Digested>, StoreError> {
        let mut found = Vec::new();
        for absent in self.absent.iter().filter(|absent| **absent != day) {
            let Some(version) = self.live.get(absent) else {
                continue;
            };
            if !differ(&self.columns_of(version, known)?, &self.columns) {
                found.push(*version);
            }
        }
        Ok(found)
    }

    fn columns_of(&self, version: &Digested, known: &mut Known) -> Result<Columns, StoreError> {
        let number = version.version;
        if let std::collections::btree_map::Entry::Vacant(place) = known.entry(number) {
            let tables = self.store.committed_tables(number)?.into_iter();
            let named = tables.map(|table| {
                let columns = table.schema.iter().filter_map(column);
                (table.name, columns.collect())
            });
            place.insert(named.collect());
        }
        let tables = known.get(&number);
        let columns = tables.and_then(|tables| tables.get(self.table));
        Ok(columns.cloned().unwrap_or_default())
    }

    /// Whether a file of a version has its name below the Delta table; where `naming` it gets that name. That of an expired version
    /// counts as gone.
    fn has(&self, version: &Digested, file: &ListedFile, naming: bool) -> Result<bool, StoreError> {
        if self.expired.contains(&version.version) {
            return Ok(false);
        }
        let name = name_of(version, file);
        let path = format!("{}/{}", run_path(version.as_of, &version.txid), file.path);
        let target = format!("../../{path}");
        let is_there = self.root.size(&name).is_ok_and(|size| size == file.bytes)
            || self.root.target(&name).as_deref() == Some(&target);
        if is_there || !naming {
            return Ok(is_there);
        }
        let failed = |error: io::Error| StoreError::io("name data", &self.root.join(&name), error);
        self.store.steps.reach(Step::NameData).map_err(failed)?;
        self.root.remove(&name);
        match self.store.root.link_below(&path, &self.root, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.root.symlink(&target, &name).map_err(failed)?;
                Ok(true)
            }
            Err(error) => Err(failed(error)),
            Ok(()) => Ok(true),
        }
    }

    fn metadata(&self) -> Value {
        let fields: Vec<Value> = self
            .columns
            .iter()
            .map(|(name, ty)| json!({"name": name, "type": ty, "nullable": true, "metadata": {}}))
            .collect();
        let schema = json!({"type": "struct", "fields": fields}).to_string();
        let created = self.versions.first().map_or(0, |first| millis(first));
        json!({"metaData": {
            "id": self.id(), "name": self.table, "format": {"provider": "parquet", "options": {}},
            "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": created,
        }})
    }

    /// What tells this Delta table from all others, in the form of a UUID; the same however often it is written.
    fn id(&self) -> String {
        let format = self.store.root.read("FORMAT").ok().flatten();
        let mut seed = format.unwrap_or_default();
        seed.extend_from_slice(self.table.as_bytes());
        let hash = sha256(&seed);
        // Version 8 and the variant of RFC 9562: what is in it is up to the writer.
        format!(
            "{}-{}-8{}-8{}-{}",
            &hash[..8],
            &hash[8..12],
            &hash[12..15],
            &hash[15..18],
            &hash[18..30]
        )
    }
}

/// Whether a column that both have is of another type in one of them.
fn differ(one: &Columns, other: &Columns) -> bool {
    let mut pairs = one.iter();
    pairs.any(|(name, ty)| other.iter().any(|(n, t)| n == name && t != ty))
}

/// Days in one text.
fn listed<'a>(days: impl Iterator<Item = &'a NaiveDate>) -> String {
    let days: Vec<String> = days.map(ToString::to_string).collect();
    days.join(", ")
}

/// Time of a commit, in milliseconds since 1970.
fn millis(version: &Digested) -> i64 {
    let time = DateTime::parse_from_rfc3339(&version.finished_at);
    time.map_or(0, |time| time.timestamp_millis())
}

fn info(version: &Digested, operation: &str, parameters: Value) -> Value {
    json!({"commitInfo": {
        "timestamp": millis(version), "operation": operation, "operationParameters": parameters,
        "engineInfo": &*version.program,
    }})
}

/// What readers and writers must understand.
fn protocol(columns: &Columns) -> Value {
    match columns.iter().any(|(_, ty)| ty == ZONELESS) {
        false => json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        true => json!({"protocol": {
            "minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"],
        }}),
    }
}

/// Name of a file of a version below the Delta table, of characters that need no encoding.
pub(crate) fn name_of(version: &Digested, file: &ListedFile) -> String {
    format!(
        "{}-{}-{}",
        version.as_of,
        version.txid,
        file.path.replace('/', "-")
    )
}

fn add(version: &Digested, file: &ListedFile) -> Value {
    let day = version.as_of.to_string();
    let stats = json!({
        "numRecords": file.rows, "minValues": {"as_of": day}, "maxValues": {"as_of": day}, "nullCount": {"as_of": 0},
    });
    json!({"add": {
        "path": name_of(version, file), "partitionValues": {}, "size": file.bytes, "modificationTime": millis(version),
        "dataChange": true, "stats": stats.to_string(),
    }})
}

fn remove(version: &Digested, file: &ListedFile, by: &Digested) -> Value {
    json!({"remove": {
        "path": name_of(version, file), "deletionTimestamp": millis(by), "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": {}, "size": file.bytes,
    }})
}

/// A column as Delta names its type; none where there is no such type, so that readers do not see the column.
fn column(column: &CommittedColumn) -> Option<(String, String)> {
    let ty = match column.ty.as_str() {
        "Utf8" => "string",
        "Int64" => "long",
        "Float64" => "double",
        "Date32" => "date",
        "Boolean" => "boolean",
        other if other.starts_with("Timestamp") => ZONELESS,
        other => {
            let digits = other.strip_prefix("Decimal128(")?.strip_suffix(')')?;
            let (precision, scale) = digits.split_once(", ")?;
            return Some((column.name.clone(), format!("decimal({precision},{scale})")));
        }
    };
    Some((column.name.clone(), ty.to_owned()))
}

/// A parameter of the operation that an entry states.
fn parameter(bytes: &[u8], name: &str) -> Option<String> {
    let info = part(bytes, "commitInfo")?;
    let value = info.get("operationParameters")?.get(name)?;
    value.as_str().map(str::to_owned)
}

/// What an action of an entry states, by its name.
fn part(bytes: &[u8], action: &str) -> Option<Value> {
    let text = str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    lines.find_map(|line| Some(line.ok()?.get(action)?.clone()))
}

/// The columns that an entry states, and the days that it leaves out.
fn stated(bytes: &[u8]) -> Option<Stated> {
    let metadata = part(bytes, "metaData")?;
    let schema: Value = serde_json::from_str(metadata.get("schemaString")?.as_str()?).ok()?;
    let fields = schema.get("fields")?.as_array()?.iter();
    let columns = fields.map(|field| {
        let text = |key: &str| Some(field.get(key)?.as_str()?.to_owned());
        Some((text("name")?, text("type")?))
    });
    let absent = parameter(bytes, ABSENT).unwrap_or_default();
    let days = absent.split(", ").filter(|day| !day.is_empty());
    Some(Stated {
        columns: columns.collect::<Option<_>>()?,
        absent: days.map(|day| day.parse().ok()).collect::<Option<_>>()?,
    })
}
