//! `delta/`: every published table as a Delta table, so that programs that know Delta Lake see the versions of a store.
//!
//! Delta version N is what the store held after its version N: of every day the newest version until then. Delta version 0 is the
//! empty table. A version that takes the place of another one of its day removes that one's file. Like the other hints, all of it
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
    /// Number of the next entry.
    next: usize,
    /// Columns by the entry before it.
    columns: Columns,
    /// Of every day the newest version before it, where that has the table.
    live: BTreeMap<NaiveDate, &'a Digested>,
}

impl Store {
    /// Writes what the Delta tables lack. Where `thorough`, all entries are compared, otherwise the last one of each table. The
    /// caller holds the lock.
    pub(crate) fn refresh_delta(&self, thorough: bool) -> Result<(), StoreError> {
        let versions = self.digests()?;
        let folder = self.root.enter_or_make(FOLDER)?;
        let mut known = Known::new();
        let mut drafts = Drafts::new(self);
        for table in tables(&versions) {
            let root = folder.enter_or_make(table)?;
            let entries = root.enter_or_make(LOG)?;
            let mut log = Log::new(self, table, (root, entries), &versions);
            if !thorough {
                log.skip();
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
        let versions = self.digests()?;
        let mut known = Known::new();
        for table in tables(&versions) {
            let root = self.root.enter(FOLDER).and_then(|f| f.enter(table));
            let entries = root.and_then(|root| Ok((root.enter(LOG)?, root)));
            let Ok((entries, root)) = entries else {
                return Ok(false);
            };
            let mut log = Log::new(self, table, (root, entries), &versions);
            while let Some((name, bytes)) = log.entry(&mut known, false)? {
                if !log.holds(&name, &bytes) {
                    return Ok(false);
                }
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

fn entry_name(number: usize) -> String {
    format!("{number:020}.json")
}

impl<'a> Log<'a> {
    /// Before its first entry.
    fn new(
        store: &'a Store,
        table: &'a str,
        (root, folder): (Folder, Folder),
        versions: &'a [Arc<Digested>],
    ) -> Self {
        Self {
            store,
            table,
            root: Arc::new(root),
            folder: Arc::new(folder),
            versions,
            next: 0,
            columns: Columns::new(),
            live: BTreeMap::new(),
        }
    }

    fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        let found = self.folder.read(name).ok().flatten();
        found.as_deref() == Some(bytes)
    }

    /// Goes to the last entry that there is, where the one before it can be understood.
    fn skip(&mut self) {
        let there = |number: &usize| self.folder.size(&entry_name(*number)).is_ok();
        let Some(last) = (0..=self.versions.len()).rev().find(there) else {
            return;
        };
        let before = last.checked_sub(1).map(entry_name);
        let before = before.and_then(|name| self.folder.read(&name).ok()?);
        let Some(columns) = before.and_then(|bytes| columns_of_entry(&bytes)) else {
            return;
        };
        self.next = last;
        self.columns = columns;
        for version in self.versions.iter().take(last - 1) {
            self.pass(version);
        }
    }

    /// A version is among those before the next entry.
    fn pass(&mut self, version: &'a Digested) {
        self.live.remove(&version.as_of);
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
        let Some(first) = self
            .versions
            .first()
            .filter(|_| number <= self.versions.len())
        else {
            return Ok(None);
        };
        self.next += 1;
        let versions = self.versions;
        let actions = match number.checked_sub(1).and_then(|place| versions.get(place)) {
            None => self.creation(first, known)?,
            Some(version) => self.change(version, known, naming)?,
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

    /// What a version changes.
    fn change(
        &mut self,
        version: &'a Digested,
        known: &mut Known,
        naming: bool,
    ) -> Result<Vec<Value>, StoreError> {
        let replaced = self.live.get(&version.as_of).copied();
        let mut removed: Vec<&Digested> = replaced.into_iter().collect();
        let mut added = Vec::new();
        let needed = protocol(&self.columns);
        if let Some(files) = self.files(version) {
            let own = self.columns_of(version, known)?;
            removed.extend(self.unlike(&own, version.as_of, known)?);
            let earlier = std::mem::replace(&mut self.columns, own);
            let more = |(name, _): &(String, String)| self.columns.iter().all(|(n, _)| n != name);
            let more: Vec<(String, String)> = earlier.into_iter().filter(more).collect();
            self.columns.extend(more);
            for file in files {
                if self.has(version, file, naming)? {
                    added.push(add(version, file));
                }
            }
        }
        let mode = if removed.is_empty() {
            "Append"
        } else {
            "Overwrite"
        };
        let about = json!({
            "mode": mode, "version": version.version.to_string(), "asOf": version.as_of.to_string(),
            "removedDays": removed.iter().map(|of| of.as_of.to_string()).collect::<Vec<_>>().join(", "),
        });
        let mut actions = vec![info(version, "WRITE", about)];
        let needs = protocol(&self.columns);
        actions.extend((needs != needed).then_some(needs));
        actions.push(self.metadata());
        for old in removed {
            let files = self.files(old).unwrap_or_default().iter();
            actions.extend(files.map(|file| remove(old, file, version)));
        }
        actions.extend(added);
        self.pass(version);
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
        let differs = |of: &Columns| {
            let mut pairs = of.iter();
            pairs.any(|(name, ty)| own.iter().any(|(n, t)| n == name && t != ty))
        };
        if !differs(&self.columns) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for version in self.live.values().filter(|version| version.as_of != day) {
            if differs(&self.columns_of(version, known)?) {
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

    /// Whether a file of a version has its name below the Delta table; where `naming` it gets that name. The data of an expired
    /// version may be gone.
    fn has(&self, version: &Digested, file: &ListedFile, naming: bool) -> Result<bool, StoreError> {
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
fn name_of(version: &Digested, file: &ListedFile) -> String {
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

/// The columns that an entry states.
fn columns_of_entry(bytes: &[u8]) -> Option<Columns> {
    let text = str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    let metadata = lines.find_map(|line| Some(line.ok()?.get("metaData")?.clone()))?;
    let schema: Value = serde_json::from_str(metadata.get("schemaString")?.as_str()?).ok()?;
    let fields = schema.get("fields")?.as_array()?.iter();
    fields
        .map(|field| {
            let text = |key: &str| Some(field.get(key)?.as_str()?.to_owned());
            Some((text("name")?, text("type")?))
        })
        .collect()
}
