//! Records of one text file on their way: into a stage file of texts, into a trial of their values, or only counted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tessera_expr::rel::FAULT;
use tessera_spec::noted::{Failure, Noting};
use tessera_spec::private;

use super::trial::Trial;
use super::{Fault, Task};
use crate::open::Watch;

/// Text that is collected before it is written, in bytes.
const BATCH_BYTES: usize = 16 << 20;

/// Rows that are collected at most before they are written.
const BATCH_ROWS: usize = 1 << 17;

/// Values, missing ones too, that are collected at most before they are written: each takes a few bytes.
const BATCH_VALUES: usize = 1 << 24;

/// Where the records of one file go.
pub(crate) struct Keeper<'a> {
    names: Vec<String>,
    stage: Option<Stage>,
    trial: Option<&'a mut Trial>,
    rows: u64,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(task: &'a mut Task<'_>, names: Vec<String>) -> Result<Self, String> {
        let stage = match &task.stage {
            Some(path) => Some(Stage::create(path, &task.watch, &names)?),
            None => None,
        };
        let mut trial = task.trial.as_deref_mut();
        if let Some(trial) = &mut trial {
            trial.begin(task.path, &names);
        }
        Ok(Self {
            names,
            stage,
            trial,
            rows: 0,
        })
    }

    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.names.len()
    }

    /// Whether so many columns can still be added: no row has been written, and those that are collected are few.
    pub(crate) fn has_room(&self, columns: usize) -> bool {
        let has_room =
            |stage: &Stage| stage.writer.is_none() && stage.rows * columns < BATCH_VALUES;
        self.stage.as_ref().is_none_or(has_room)
    }

    /// Adds a column that is null in all rows so far, the present one excluded.
    pub(crate) fn add_column(&mut self, name: String) {
        if let Some(stage) = &mut self.stage {
            let mut column = StringBuilder::new();
            (0..stage.rows).for_each(|_| column.append_null());
            stage.columns.push(column);
        }
        if let Some(trial) = &mut self.trial {
            trial.add_column(&name);
        }
        self.names.push(name);
    }

    /// The value of a column in the present row, which begins on this line; each column has one, in any order.
    pub(crate) fn value(&mut self, column: usize, value: Option<&str>, line: u64) {
        if let Some(stage) = &mut self.stage {
            stage.bytes += value.map_or(0, str::len);
            stage.columns[column].append_option(value);
        }
        if let (Some(trial), Some(value)) = (&mut self.trial, value) {
            trial.value(column, value, line);
        }
    }

    /// Ends the present row.
    pub(crate) fn end_row(&mut self) {
        if let Some(stage) = &mut self.stage {
            stage.faults.append_null();
            stage.rows += 1;
        }
        self.rows += 1;
    }

    /// A row without fields.
    pub(crate) fn broken(&mut self, fault: &Fault<'_>) {
        if let Some(stage) = &mut self.stage {
            let json = fault.json();
            stage.bytes += json.len();
            stage.faults.append_value(json);
            stage
                .columns
                .iter_mut()
                .for_each(StringBuilder::append_null);
            stage.rows += 1;
        }
        if let Some(trial) = &mut self.trial {
            trial.broken(fault.line, fault.problem);
        }
        self.rows += 1;
    }

    /// Writes what is collected, where that is enough.
    pub(crate) fn flush_if_full(&mut self) -> Result<(), String> {
        match &mut self.stage {
            Some(stage) if stage.is_full() => stage.flush(&self.names),
            _ => Ok(()),
        }
    }

    /// Ends the file; names of its columns and number of its rows.
    pub(crate) fn finish(self) -> Result<(Vec<String>, u64), String> {
        if let Some(mut stage) = self.stage {
            stage.flush(&self.names)?;
            if let Some(writer) = stage.writer {
                let closed = writer.close();
                closed.map_err(|error| stage.place.failed("write", &error))?;
            }
        }
        Ok((self.names, self.rows))
    }
}

/// A stage file.
struct Stage {
    place: Place,
    file: Option<File>,
    /// Made with the first rows, when the columns are known.
    writer: Option<ArrowWriter<Noting<File>>>,
    columns: Vec<StringBuilder>,
    faults: StringBuilder,
    rows: usize,
    bytes: usize,
}

impl Stage {
    fn create(path: &Path, watch: &Watch, names: &[String]) -> Result<Self, String> {
        let place = Place {
            path: path.to_owned(),
            watch: watch.clone(),
            failure: Failure::default(),
        };
        let file = private::create(path).map_err(|error| {
            place.failure.note(error);
            place.failed("create", &"")
        })?;
        Ok(Self {
            place,
            file: Some(file),
            writer: None,
            columns: names.iter().map(|_| StringBuilder::new()).collect(),
            faults: StringBuilder::new(),
            rows: 0,
            bytes: 0,
        })
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
            || self.rows >= BATCH_ROWS
            || self.rows * self.columns.len() >= BATCH_VALUES
    }

    fn flush(&mut self, names: &[String]) -> Result<(), String> {
        let names = names.iter().map(String::as_str).chain([FAULT]);
        let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let place = &self.place;
        if let Some(file) = self.file.take() {
            // Statistics and indexes serve pruning, and no bound is ever put on a text.
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_statistics_enabled(EnabledStatistics::None)
                .set_offset_index_disabled(true)
                .build();
            let file = Noting::new(file, place.failure.clone());
            let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
            self.writer = Some(writer.map_err(|error| place.failed("write", &error))?);
        }
        let columns = self.columns.iter_mut().chain([&mut self.faults]);
        let columns: Vec<ArrayRef> = columns
            .map(|column| Arc::new(column.finish()) as ArrayRef)
            .collect();
        (self.rows, self.bytes) = (0, 0);
        let batch =
            RecordBatch::try_new(schema, columns).map_err(|error| place.failed("write", &error))?;
        if let Some(writer) = &mut self.writer {
            let written = writer.write(&batch).and_then(|()| writer.flush());
            written.map_err(|error| place.failed("write", &error))?;
        }
        Ok(())
    }
}

/// Where a stage file lies, and where its errors go.
struct Place {
    path: PathBuf,
    watch: Watch,
    failure: Failure,
}

impl Place {
    /// Notes the error of the disk, or what else went wrong, as one of the stage file; the text ends the reading.
    fn failed(&self, operation: &'static str, error: &dyn std::fmt::Display) -> String {
        let found = self.failure.take();
        let found = found.unwrap_or_else(|| io::Error::other(error.to_string()));
        let text = found.to_string();
        self.watch.unkept(operation, &self.path, found);
        text
    }
}
