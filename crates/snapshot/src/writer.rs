//! Published Parquet files: readable by every BI tool without a plug-in, and the same bytes for the same rows, whatever their
//! batches and the number of threads.

mod checksum;
mod order;

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tessera_spec::noted::Failure;

use crate::commit::hex;
use crate::error::StoreError;
use checksum::{Ledger, Pages, held};
use order::Order;

/// Rows per row group: enough to compress well, few enough that a reader of one customer skips most of a table.
const ROW_GROUP_ROWS: usize = 131_072;

/// Row groups that are encoded at the same time: otherwise all other threads would wait for one column of long texts.
const GROUPS_AT_ONCE: usize = 4;

/// Largest size of a dictionary in bytes: in larger ones most values occur once, and the dictionary saves no space.
const DICTIONARY_BYTES: usize = 1 << 17;

/// The `created_by` of every file, without the version of a library.
const CREATED_BY: &str = "tessera";

/// The layout of a file.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Name of the table, for messages.
    pub(crate) table: String,
    /// The columns as they are published.
    pub(crate) schema: SchemaRef,
    /// Indices of the columns that rows are sorted by, all ascending, nulls last.
    pub(crate) sorted_by: Vec<usize>,
    /// Whether no two rows are equal in all of these.
    pub(crate) unique: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) rows: u64,
}

/// The type as which a type is published: flat, never a dictionary. `None` for types that are not published.
pub(crate) fn published_type(ty: &DataType) -> Option<DataType> {
    Some(match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Int64 | DataType::Float64 | DataType::Date32 | DataType::Boolean => ty.clone(),
        DataType::Decimal128(..) => ty.clone(),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

/// Writes rows that are no table of a store, such as an exported list, as published tables are written, to `sink`. `path` is for
/// messages.
///
/// # Errors
/// A column of a type that is not published, or an error of `sink`.
pub fn write_rows<W: Write + Send>(
    name: &str,
    rows: &RecordBatch,
    sink: W,
    path: &Path,
) -> Result<W, StoreError> {
    let nullable = |_: usize, field: &Field| field.is_nullable();
    let layout = Layout {
        table: name.to_owned(),
        schema: published_schema(name, rows.schema_ref(), nullable)?,
        sorted_by: Vec::new(),
        unique: false,
    };
    let (sink, _) = write_parquet(&layout, std::iter::once(Ok(rows.clone())), sink, path)?;
    Ok(sink)
}

/// Writes the batches as one Parquet file to `sink`. `path` is for messages.
pub(crate) fn write_parquet<W: Write + Send>(
    layout: &Layout,
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    sink: W,
    path: &Path,
) -> Result<(W, Written), StoreError> {
    let mut writer = TableWriter::new(layout, sink, path)?;
    for batch in batches {
        writer.push(&batch?)?;
    }
    writer.finish()
}

/// Rows of one row group, in the batches as they were passed in.
type Group = Vec<RecordBatch>;

/// Encoded columns of one row group.
type Encoded = Vec<(bytes::Bytes, ColumnCloseResult)>;

/// Writes a table to a file. Row groups are filled, then several are encoded while those before them are written.
struct TableWriter<'a, W: Write + Send> {
    layout: &'a Layout,
    path: &'a Path,
    order: Order,
    /// The row group that is being filled.
    filling: Group,
    /// Rows in it.
    filled: usize,
    /// Row groups that wait to be encoded together.
    waiting: Vec<Group>,
    /// Row groups that wait to be written.
    encoded: Vec<Encoded>,
    file: SerializedFileWriter<Hashed<W>>,
    columns: ArrowRowGroupWriterFactory,
    ledger: Arc<Ledger>,
    failure: Failure,
    /// Row groups encoded so far.
    groups: usize,
    rows: u64,
}

impl<'a, W: Write + Send> TableWriter<'a, W> {
    fn new(layout: &'a Layout, sink: W, path: &'a Path) -> Result<Self, StoreError> {
        let failure = Failure::default();
        let failed = |error| failed(layout, path, &failure, error);
        let schema = ArrowSchemaConverter::new()
            .convert(&layout.schema)
            .map_err(failed)?;
        let properties = Arc::new(properties(layout));
        let hashed = Hashed {
            sink,
            hash: Sha256::new(),
            bytes: 0,
            failure: failure.clone(),
        };
        let file = SerializedFileWriter::new(hashed, schema.root_schema_ptr(), properties)
            .map_err(failed)?;
        let ledger = Arc::new(Ledger::default());
        let columns = ArrowRowGroupWriterFactory::new(&file, layout.schema.clone())
            .with_page_store_factory(ledger.clone());
        Ok(Self {
            layout,
            path,
            order: Order::new(&layout.sorted_by, layout.unique),
            filling: Group::new(),
            filled: 0,
            waiting: Vec::new(),
            encoded: Vec::new(),
            file,
            columns,
            ledger,
            failure,
            groups: 0,
            rows: 0,
        })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let batch = converted(self.layout, batch)?;
        if let Some(found) = self
            .order
            .check(&batch)
            .map_err(|error| bad(self.layout, error))?
        {
            let what = if found.repeated {
                "has the same key as the row before it"
            } else {
                "is not in the order of the table"
            };
            return Err(bad(self.layout, format!("row {} {what}", found.row)));
        }
        self.rows += batch.num_rows() as u64;
        let mut taken = 0;
        while taken < batch.num_rows() {
            let rows = (batch.num_rows() - taken).min(ROW_GROUP_ROWS - self.filled);
            self.filling.push(batch.slice(taken, rows));
            taken += rows;
            self.filled += rows;
            if self.filled == ROW_GROUP_ROWS {
                self.close_group();
            }
        }
        if self.waiting.len() >= GROUPS_AT_ONCE {
            self.encode_waiting()?;
        }
        Ok(())
    }

    fn close_group(&mut self) {
        self.waiting.push(std::mem::take(&mut self.filling));
        self.filled = 0;
    }

    /// Encodes the groups that wait while those encoded before are written.
    fn encode_waiting(&mut self) -> Result<(), StoreError> {
        let failed = |error| failed(self.layout, self.path, &self.failure, error);
        let groups = std::mem::take(&mut self.waiting);
        let before = std::mem::take(&mut self.encoded);
        let mut columns = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let writers = self
                .columns
                .create_column_writers(self.groups + number)
                .map_err(failed)?;
            let writers = writers.into_iter().zip(self.ledger.take());
            let fields = self.layout.schema.fields().iter().enumerate();
            columns.extend(writers.zip(fields).map(|of_column| (group, of_column)));
        }
        let encode = || {
            columns
                .into_par_iter()
                .map(|(group, ((writer, pages), (column, field)))| {
                    encode(writer, &pages, field, group, column)
                })
                .collect::<Result<Vec<_>, ParquetError>>()
        };
        let file = &mut self.file;
        let (encoded, written) = rayon::join(encode, || write(file, before));
        written.map_err(failed)?;
        let mut encoded = encoded.map_err(failed)?.into_iter();
        let width = self.layout.schema.fields().len();
        self.encoded = groups
            .iter()
            .map(|_| encoded.by_ref().take(width).collect())
            .collect();
        self.groups += groups.len();
        Ok(())
    }

    fn finish(mut self) -> Result<(W, Written), StoreError> {
        if self.filled > 0 {
            self.close_group();
        }
        self.encode_waiting()?;
        let failed = |error| failed(self.layout, self.path, &self.failure, error);
        write(&mut self.file, std::mem::take(&mut self.encoded)).map_err(failed)?;
        let hashed = self.file.into_inner().map_err(failed)?;
        let written = Written {
            bytes: hashed.bytes,
            sha256: hex(&hashed.hash.finalize()),
            rows: self.rows,
        };
        Ok((hashed.sink, written))
    }
}

/// Writes row groups, in order.
fn write<W: Write + Send>(
    file: &mut SerializedFileWriter<Hashed<W>>,
    groups: Vec<Encoded>,
) -> Result<(), ParquetError> {
    for columns in groups {
        let mut group = file.next_row_group()?;
        for (bytes, noted) in columns {
            group.append_column(&bytes, noted)?;
        }
        group.close()?;
    }
    Ok(())
}

/// Encodes one column chunk. The batches are concatenated first, so that pages do not depend on them.
fn encode(
    mut writer: ArrowColumnWriter,
    pages: &Mutex<Pages>,
    field: &Field,
    group: &Group,
    column: usize,
) -> Result<(bytes::Bytes, ColumnCloseResult), ParquetError> {
    let parts: Vec<&dyn Array> = group
        .iter()
        .map(|part| part.column(column).as_ref())
        .collect();
    for leaf in compute_leaves(field, &concat(&parts)?)? {
        writer.write(&leaf)?;
    }
    let chunk = writer.close()?;
    held(pages).seal(chunk.close())
}

fn properties(layout: &Layout) -> WriterProperties {
    let sorting = layout
        .sorted_by
        .iter()
        .map(|&column| SortingColumn {
            column_idx: column as i32,
            descending: false,
            nulls_first: false,
        })
        .collect();
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting));
    if let ([key], true) = (layout.sorted_by.as_slice(), layout.unique) {
        // All values are distinct, so a dictionary would be built in vain.
        let key = ColumnPath::from(layout.schema.field(*key).name().as_str());
        properties = properties.set_column_dictionary_enabled(key, false);
    }
    properties.build()
}

fn converted(layout: &Layout, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let fields = layout.schema.fields();
    if batch.num_columns() != fields.len() {
        return Err(bad(
            layout,
            format!(
                "{} columns instead of {}",
                batch.num_columns(),
                fields.len()
            ),
        ));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(fields)
        .map(|(column, field)| {
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(bad(
                    layout,
                    format!("column `{}` has nulls, but is not nullable", field.name()),
                ));
            }
            if column.data_type() == field.data_type() {
                return Ok(column.clone());
            }
            if published_type(column.data_type()).as_ref() != Some(field.data_type()) {
                let (found, wanted) = (column.data_type(), field.data_type());
                return Err(bad(
                    layout,
                    format!(
                        "column `{}` has the type {found} instead of {wanted}",
                        field.name()
                    ),
                ));
            }
            arrow::compute::cast(column, field.data_type()).map_err(|_| {
                bad(
                    layout,
                    format!(
                        "column `{}` does not fit {}",
                        field.name(),
                        field.data_type()
                    ),
                )
            })
        })
        .collect::<Result<Vec<ArrayRef>, StoreError>>()?;
    RecordBatch::try_new(layout.schema.clone(), columns).map_err(|error| bad(layout, error))
}

fn bad(layout: &Layout, reason: impl ToString) -> StoreError {
    StoreError::BadTable {
        table: layout.table.clone(),
        reason: reason.to_string(),
    }
}

/// The I/O error where there was one, since the library hides it; else an error of the table.
fn failed(layout: &Layout, path: &Path, failure: &Failure, error: ParquetError) -> StoreError {
    match failure.take() {
        Some(error) => StoreError::io("write table", path, error),
        None => bad(layout, error),
    }
}

/// A sink that hashes and counts the bytes written.
struct Hashed<W> {
    sink: W,
    hash: Sha256,
    bytes: u64,
    failure: Failure,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(buffer);
        let written = written.map_err(|error| self.failure.note(error))?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush().map_err(|error| self.failure.note(error))
    }
}

/// The columns as they are published: published types, and nullable as given by `nullable`.
pub(crate) fn published_schema(
    table: &str,
    schema: &Schema,
    nullable: impl Fn(usize, &Field) -> bool,
) -> Result<SchemaRef, StoreError> {
    let fields = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(number, field)| {
            let ty = published_type(field.data_type()).ok_or_else(|| StoreError::BadTable {
                table: table.to_owned(),
                reason: format!(
                    "column `{}` is {}, which is not published",
                    field.name(),
                    field.data_type()
                ),
            })?;
            Ok(Field::new(field.name(), ty, nullable(number, field)))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

#[cfg(test)]
mod tests;
