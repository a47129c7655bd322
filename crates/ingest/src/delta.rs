//! Delta tables: which files are part of the current version, by the log in `_delta_log`.
//!
//! The log is a list of commits, each a file of JSON actions, and of checkpoints, each with the state after the commits up to it.
//! Features that a reader must support and this one does not are an error with the feature's name: deletion vectors, column
//! mapping, and reader features that are not in [`HARMLESS_FEATURES`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};
use tessera_expr::Type;
use tessera_spec::noted::of_system;

use crate::open::{Unread, open};
use crate::partitions::{Partition, decoded};

/// Reader features that change nothing for a reader of the current version: those whose use is seen, and refused, in the actions
/// themselves, and types that Parquet states.
const HARMLESS_FEATURES: &[&str] = &[
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// The current version of a table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Its files by path, each with the values of the partition columns.
    pub(crate) files: BTreeMap<PathBuf, Vec<Partition>>,
    /// Types of the columns of its schema.
    pub(crate) types: BTreeMap<String, Type>,
}

/// Why the log of a table cannot be followed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// What it holds, or lacks: a sentence about the table.
    Content(String),
    /// The operating system refused: what was tried, with which file, and why not.
    System(&'static str, PathBuf, io::Error),
}

impl From<String> for Trouble {
    fn from(sentence: String) -> Self {
        Self::Content(sentence)
    }
}

/// Reads the log of the table in `root`.
pub(crate) fn read(root: &Path) -> Result<Table, Trouble> {
    let folder = root.join("_delta_log");
    let log = Log::list(&folder)?;
    let mut state = State::default();
    let mut next = 0;
    if let Some((version, parts)) = &log.checkpoint {
        for part in parts {
            for action in checkpoint(part)? {
                // Tombstones of a checkpoint say which files may be deleted, and stand beside files that are part of the table.
                if !action["remove"].is_object() {
                    state.apply(&action)?;
                }
            }
        }
        next = version + 1;
    }
    for (version, path) in log.commits.range(next..) {
        if *version != next {
            return Err(format!("its log lacks version {next}").into());
        }
        let text = read_text(path)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let actions: Vec<Value> = lines
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| at(path, error))?;
        // A commit may replace a file by one of the same name.
        let (removes, others): (Vec<_>, Vec<_>) = actions
            .iter()
            .partition(|action| action.get("remove").is_some());
        for action in removes.into_iter().chain(others) {
            state.apply(action)?;
        }
        next += 1;
    }
    Ok(state.table(root)?)
}

/// A file of the log; a FIFO, device or socket of that name is an error, without waiting for it.
fn opened(path: &Path) -> Result<File, Trouble> {
    match open(path) {
        Ok((file, _)) => Ok(file),
        Err(Unread::Damaged(reason) | Unread::Changed(reason)) => Err(at(path, reason).into()),
        Err(Unread::Interrupted) => Err(at(path, "interrupted").into()),
        Err(Unread::System(operation, error) | Unread::Unkept(operation, _, error)) => {
            Err(refused(operation, path, error))
        }
    }
}

fn read_text(path: &Path) -> Result<String, Trouble> {
    let text = io::read_to_string(opened(path)?);
    text.map_err(|error| refused("read", path, error))
}

/// An error of the operating system; what is gone, or is no text, is one of the content.
fn refused(operation: &'static str, path: &Path, error: io::Error) -> Trouble {
    match error.raw_os_error() {
        Some(_) if error.kind() != io::ErrorKind::NotFound => {
            Trouble::System(operation, path.to_owned(), error)
        }
        _ => at(path, error).into(),
    }
}

/// An error of a library about a file, which may be an operating system error.
fn unread(path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    match of_system(&error.to_string()) {
        Some(error) => refused("read", path, error),
        None => at(path, error).into(),
    }
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("`_delta_log/{name}` cannot be read ({error})")
}

/// The files of the log.
#[derive(Debug, Default)]
struct Log {
    commits: BTreeMap<u64, PathBuf>,
    /// The newest complete checkpoint: its version and its parts.
    checkpoint: Option<(u64, Vec<PathBuf>)>,
}

impl Log {
    fn list(folder: &Path) -> Result<Self, Trouble> {
        let mut log = Self::default();
        let mut parts: BTreeMap<(u64, u64), BTreeSet<PathBuf>> = BTreeMap::new();
        let mut by_uuid = None;
        let entries = fs::read_dir(folder).map_err(|error| refused("list", folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| refused("list", folder, error))?;
            let path = entry.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let pieces: Vec<&str> = name.split('.').collect();
            let Some(version) = pieces.first().and_then(|text| version(text)) else {
                continue;
            };
            match pieces.as_slice() {
                [_, "json"] => {
                    log.commits.insert(version, path.clone());
                }
                [_, "checkpoint", "parquet"] => {
                    parts.entry((version, 1)).or_default().insert(path.clone());
                }
                [_, "checkpoint", _, count, "parquet"] => {
                    let count = count.parse().unwrap_or(0);
                    parts
                        .entry((version, count))
                        .or_default()
                        .insert(path.clone());
                }
                [_, "checkpoint", ..] => by_uuid = by_uuid.max(Some(version)),
                _ => {}
            }
        }
        let complete = parts
            .into_iter()
            .filter(|((_, count), parts)| parts.len() as u64 == *count);
        log.checkpoint = complete
            .map(|((version, _), parts)| (version, parts.into_iter().collect()))
            .next_back();
        let begins = log
            .checkpoint
            .as_ref()
            .map_or(0, |(version, _)| version + 1);
        let last = log.commits.last_key_value().map(|(version, _)| *version);
        let whole = last.is_none_or(|last| {
            last < begins || (begins..=last).all(|version| log.commits.contains_key(&version))
        });
        if let (Some(version), false) = (by_uuid, whole) {
            return Err(format!(
                "its checkpoint of version {version} uses the reader feature `v2Checkpoint`, which is not supported"
            )
            .into());
        }
        if log.checkpoint.is_none() && log.commits.is_empty() {
            return Err("its log has no version".to_owned().into());
        }
        Ok(log)
    }
}

/// The version in the name of a file of the log: 20 digits.
fn version(text: &str) -> Option<u64> {
    let digits = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The state of the table after the actions so far.
#[derive(Debug, Default)]
struct State {
    protocol: Option<Value>,
    metadata: Option<Value>,
    /// By path and deletion vector: a file with another one is another entry.
    files: BTreeMap<(String, Option<String>), Value>,
}

impl State {
    fn apply(&mut self, action: &Value) -> Result<(), String> {
        let part = |name: &str| action.get(name).filter(|value| value.is_object());
        let file = |of: &Value| Ok::<_, String>((text(of, "path")?, deletion_vector(of)));
        if let Some(add) = part("add") {
            self.files.insert(file(add)?, add.clone());
        } else if let Some(remove) = part("remove") {
            self.files.remove(&file(remove)?);
        } else if part("sidecar").is_some() {
            return Err("its checkpoint keeps the files of the table in further files (reader feature `v2Checkpoint`), which is not supported; export it to plain Parquet files".to_owned());
        } else if let Some(metadata) = part("metaData") {
            self.metadata = Some(metadata.clone());
        } else if let Some(protocol) = part("protocol") {
            self.protocol = Some(protocol.clone());
        }
        Ok(())
    }

    fn table(self, root: &Path) -> Result<Table, String> {
        let protocol = self.protocol.ok_or("its log states no protocol")?;
        let metadata = self.metadata.ok_or("its log states no schema")?;
        check_protocol(&protocol)?;
        let mode = &metadata["configuration"]["delta.columnMapping.mode"];
        if mode.as_str().is_some_and(|mode| mode != "none") {
            return Err("it uses the reader feature `columnMapping`, which is not supported; export it to plain Parquet files".to_owned());
        }
        let provider = &metadata["format"]["provider"];
        if provider
            .as_str()
            .is_some_and(|provider| provider != "parquet")
        {
            return Err(format!("its files are {provider}, not Parquet"));
        }
        let columns: Vec<String> = match &metadata["partitionColumns"] {
            Value::Array(names) => names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        let mut table = Table {
            types: types(&metadata),
            ..Table::default()
        };
        for ((path, deleted), add) in self.files {
            if deleted.is_some() {
                return Err("it has deletion vectors (reader feature `deletionVectors`), which are not supported; run `REORG TABLE … APPLY (PURGE)` in the system that writes it".to_owned());
            }
            let values = &add["partitionValues"];
            let value = |name: &String| {
                let text = match values.get(name) {
                    Some(Value::String(text)) => Some(text.clone()),
                    // Some writers do not write them as texts.
                    Some(plain @ (Value::Number(_) | Value::Bool(_))) => Some(plain.to_string()),
                    _ => None,
                };
                (name.clone(), text.filter(|text| !text.is_empty()))
            };
            let partitions = columns.iter().map(value).collect();
            table.files.insert(file_path(root, &path)?, partitions);
        }
        Ok(table)
    }
}

/// What tells the deletion vector of a file from others: where it is kept.
fn deletion_vector(of: &Value) -> Option<String> {
    let vector = of
        .get("deletionVector")
        .filter(|vector| vector.is_object())?;
    let parts = ["storageType", "pathOrInlineDv", "offset"].map(|name| vector[name].to_string());
    Some(parts.join(" "))
}

fn text(action: &Value, name: &str) -> Result<String, String> {
    let text = action.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("an action of its log has no `{name}`"))
}

fn check_protocol(protocol: &Value) -> Result<(), String> {
    let reader = protocol["minReaderVersion"].as_i64().unwrap_or(1);
    if reader > 3 {
        return Err(format!(
            "it needs reader version {reader}; the highest supported version is 3"
        ));
    }
    let features = protocol["readerFeatures"].as_array();
    let unknown = features
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|feature| !HARMLESS_FEATURES.contains(feature));
    match unknown {
        Some(feature) => Err(format!(
            "it needs the reader feature `{feature}`, which is not supported; export it to plain Parquet files"
        )),
        None => Ok(()),
    }
}

/// Paths in the log are percent-encoded, and relative to the table unless they say otherwise.
fn file_path(root: &Path, path: &str) -> Result<PathBuf, String> {
    let local = path
        .strip_prefix("file://")
        .or_else(|| path.strip_prefix("file:"))
        .unwrap_or(path);
    if local.contains("://") {
        return Err(format!("its file `{path}` is outside the table's folder"));
    }
    Ok(root.join(decoded(local).as_ref()))
}

/// Types of the columns, by the schema in the log; not of nested ones.
fn types(metadata: &Value) -> BTreeMap<String, Type> {
    let schema = metadata["schemaString"].as_str().unwrap_or_default();
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let fields = schema["fields"].as_array();
    fields
        .into_iter()
        .flatten()
        .filter_map(|field| {
            let name = field["name"].as_str()?.to_owned();
            let stated = field["type"].as_str()?;
            let ty = match stated {
                "byte" | "short" | "integer" | "long" => Type::Int,
                "float" | "double" => Type::Float,
                "boolean" => Type::Bool,
                "date" => Type::Date,
                "timestamp" | "timestamp_ntz" => Type::Timestamp,
                _ => match decimal_scale(stated) {
                    Some(scale) => Type::Decimal { scale },
                    None => Type::String,
                },
            };
            Some((name, ty))
        })
        .collect()
}

/// The digits behind the point of `decimal(10,2)`.
fn decimal_scale(ty: &str) -> Option<u8> {
    let digits = ty.strip_prefix("decimal(")?.strip_suffix(')')?;
    digits.split_once(',')?.1.trim().parse().ok()
}

/// The actions of a checkpoint, as a commit would hold them.
fn checkpoint(path: &Path) -> Result<Vec<Value>, Trouble> {
    let file = opened(path)?;
    let reader = SerializedFileReader::new(file).map_err(|error| unread(path, &error))?;
    let rows = reader
        .get_row_iter(None)
        .map_err(|error| unread(path, &error))?;
    let action = |row: Result<Row, ParquetError>| row.map(|row| object(&row));
    rows.map(|row| action(row).map_err(|error| unread(path, &error)))
        .collect()
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter();
    Value::Object(
        fields
            .map(|(name, field)| (name.clone(), value(field)))
            .collect(),
    )
}

/// Strings, integers, lists, maps and groups: what the log is made of. Statistics of other types are not needed.
fn value(field: &Field) -> Value {
    match field {
        Field::Bool(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::Str(text) => text.as_str().into(),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let mut object = Map::new();
            for (key, of) in map.entries() {
                if let Field::Str(key) = key {
                    object.insert(key.clone(), value(of));
                }
            }
            Value::Object(object)
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema};

    use super::*;

    const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
    const METADATA: &str = r#"{"metaData":{"partitionColumns":["day"],"configuration":{},"format":{"provider":"parquet"},
        "schemaString":"{\"fields\":[{\"name\":\"day\",\"type\":\"date\"}]}"}}"#;

    fn add(path: &str, day: &str) -> String {
        format!(r#"{{"add":{{"path":"{path}","partitionValues":{{"day":{day}}},"size":1}}}}"#)
    }

    fn content(trouble: Trouble) -> String {
        match trouble {
            Trouble::Content(sentence) => sentence,
            Trouble::System(..) => panic!("{trouble:?}"),
        }
    }

    fn log(commits: &[&[&str]]) -> (tempfile::TempDir, Result<Table, Trouble>) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("_delta_log");
        fs::create_dir(&folder).unwrap();
        for (version, actions) in commits.iter().enumerate() {
            let text: Vec<String> = actions.iter().map(|a| a.replace('\n', "")).collect();
            fs::write(folder.join(format!("{version:020}.json")), text.join("\n")).unwrap();
        }
        let read = read(dir.path());
        (dir, read)
    }

    #[test]
    fn removed_files_are_no_part_and_values_come_from_the_log() {
        let (first, second) = (
            add("day=x/a%20b.parquet", "\"2026-10-01\""),
            add("c.parquet", "null"),
        );
        let removed = r#"{"remove":{"path":"old.parquet"}}"#;
        let old = add("old.parquet", "\"\"");
        let (dir, table) = log(&[&[PROTOCOL, METADATA, &old, &first], &[&second, removed]]);
        let table = table.unwrap();
        let found: Vec<_> = table.files.into_iter().collect();
        let of = |text: Option<&str>| vec![("day".to_owned(), text.map(str::to_owned))];
        assert_eq!(
            found,
            [
                (dir.path().join("c.parquet"), of(None)),
                (dir.path().join("day=x/a b.parquet"), of(Some("2026-10-01"))),
            ]
        );
        assert_eq!(table.types["day"], Type::Date);
    }

    #[test]
    fn partition_columns_have_the_type_and_the_values_of_the_log() {
        let metadata = METADATA.replace(r#"\"date\""#, r#"\"decimal(10,2)\""#);
        let (text, number) = (add("a.parquet", "\"1.50\""), add("b.parquet", "2.5"));
        let (_dir, table) = log(&[&[PROTOCOL, &metadata, &text, &number]]);
        let table = table.unwrap();
        assert_eq!(table.types["day"], Type::Decimal { scale: 2 });
        let values = table.files.into_values().flatten();
        let values: Vec<Option<String>> = values.map(|(_, value)| value).collect();
        assert_eq!(values, ["1.50", "2.5"].map(|text| Some(text.to_owned())));
    }

    /// The values of a field in rows of JSON.
    fn column(field: &ArrowField, rows: &[Value]) -> ArrayRef {
        let own: Vec<Value> = rows.iter().map(|row| row[field.name()].clone()).collect();
        match field.data_type() {
            DataType::Struct(fields) => {
                let children = fields.iter().map(|field| column(field, &own)).collect();
                let there: Vec<bool> = own.iter().map(Value::is_object).collect();
                Arc::new(StructArray::new(
                    fields.clone(),
                    children,
                    Some(there.into()),
                ))
            }
            DataType::Int32 => {
                let numbers = own
                    .iter()
                    .map(|value| value.as_i64().map(|number| number as i32));
                Arc::new(Int32Array::from_iter(numbers))
            }
            _ => Arc::new(StringArray::from_iter(own.iter().map(Value::as_str))),
        }
    }

    /// A checkpoint of the actions in `rows`, as the version 0 of a table.
    fn checkpointed(rows: &[&str]) -> (tempfile::TempDir, Result<Table, Trouble>) {
        let text = |name: &str| ArrowField::new(name, DataType::Utf8, true);
        let group = |name: &str, fields: Vec<ArrowField>| {
            ArrowField::new(name, DataType::Struct(Fields::from(fields)), true)
        };
        let vector = || {
            let fields = vec![
                text("storageType"),
                text("pathOrInlineDv"),
                ArrowField::new("offset", DataType::Int32, true),
            ];
            group("deletionVector", fields)
        };
        let schema = Arc::new(Schema::new(vec![
            group("add", vec![text("path"), vector()]),
            group("remove", vec![text("path"), vector()]),
            group("metaData", vec![text("schemaString")]),
            group(
                "protocol",
                vec![ArrowField::new("minReaderVersion", DataType::Int32, true)],
            ),
            group("sidecar", vec![text("path")]),
        ]));
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("_delta_log");
        fs::create_dir(&folder).unwrap();
        let file = File::create(folder.join(format!("{:020}.checkpoint.parquet", 0))).unwrap();
        let known = [
            r#"{"protocol":{"minReaderVersion":1}}"#,
            r#"{"metaData":{"schemaString":""}}"#,
        ];
        let rows: Vec<Value> = known
            .iter()
            .chain(rows)
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        let columns = schema.fields().iter().map(|field| column(field, &rows));
        let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let read = read(dir.path());
        (dir, read)
    }

    #[test]
    fn tombstones_of_a_checkpoint_take_no_file_out() {
        let (add, removed) = (
            r#"{"add":{"path":"a.parquet"}}"#,
            r#"{"remove":{"path":"a.parquet","deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1}}}"#,
        );
        for rows in [[add, removed], [removed, add]] {
            let (dir, table) = checkpointed(&rows);
            let files: Vec<PathBuf> = table.unwrap().files.into_keys().collect();
            assert_eq!(files, [dir.path().join("a.parquet")]);
        }
        // A file with a deletion vector beside the tombstone of the same file without one.
        let (add, removed) = (
            r#"{"add":{"path":"a.parquet","deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1}}}"#,
            r#"{"remove":{"path":"a.parquet"}}"#,
        );
        for rows in [[add, removed], [removed, add]] {
            let said = content(checkpointed(&rows).1.unwrap_err());
            assert!(said.contains("`deletionVectors`"), "{said}");
        }
        let sidecar = r#"{"sidecar":{"path":"s.parquet"}}"#;
        let said = content(checkpointed(&[sidecar]).1.unwrap_err());
        assert!(said.contains("`v2Checkpoint`"), "{said}");
    }

    #[test]
    fn a_file_that_gets_a_deletion_vector_and_loses_it_again_is_one_file() {
        let vector = r#","deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1}"#;
        let (plain, with) = (
            r#"{"add":{"path":"a.parquet"}}"#.to_owned(),
            format!(r#"{{"add":{{"path":"a.parquet"{vector}}}}}"#),
        );
        let remove = |of: &str| of.replace("add", "remove");
        let (first, second) = (
            [remove(&plain), with.clone()],
            [remove(&with), plain.clone()],
        );
        let commits: [&[&str]; 3] = [
            &[PROTOCOL, METADATA, &plain],
            &[&first[0], &first[1]],
            &[&second[0], &second[1]],
        ];
        let said = content(log(&commits[..2]).1.unwrap_err());
        assert!(said.contains("`deletionVectors`"), "{said}");
        assert_eq!(log(&commits).1.unwrap().files.len(), 1);
    }

    #[test]
    fn what_a_reader_must_know_is_refused_by_name() {
        let said = |commits: &[&[&str]]| content(log(commits).1.unwrap_err());
        let feature = r#"{"protocol":{"minReaderVersion":3,"readerFeatures":["timestampNtz","variantType"]}}"#;
        assert!(said(&[&[feature, METADATA]]).contains("`variantType`"));
        let mapped = METADATA.replace(
            r#""configuration":{}"#,
            r#""configuration":{"delta.columnMapping.mode":"name"}"#,
        );
        assert!(said(&[&[PROTOCOL, &mapped]]).contains("`columnMapping`"));
        let vector =
            r#"{"add":{"path":"a","partitionValues":{},"deletionVector":{"storageType":"u"}}}"#;
        assert!(said(&[&[PROTOCOL, METADATA, vector]]).contains("deletion vectors"));
        assert!(said(&[&[METADATA]]).contains("no protocol"));
    }

    #[test]
    fn a_gap_in_the_log_is_told() {
        let (dir, _) = log(&[&[PROTOCOL, METADATA], &[], &[]]);
        fs::remove_file(
            dir.path()
                .join("_delta_log")
                .join(format!("{:020}.json", 1)),
        )
        .unwrap();
        assert_eq!(
            content(read(dir.path()).unwrap_err()),
            "its log lacks version 1"
        );
    }
}
