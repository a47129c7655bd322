//! Published Parquet files: what every BI tool reads without a plug-in, and the same bytes for the same rows, however these
//! were cut into batches and however many threads encode them.

mod checksum;
mod order;

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::BatchCoalescer;
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

use crate::commit::hex;
use crate::error::StoreError;
use checksum::{Ledger, Pages, held};
use order::Order;

/// Rows per row group: enough to compress well, few enough that a reader of one customer skips most of a table.
const ROW_GROUP_ROWS: usize = 131_072;

/// Row groups that are encoded at the same time: one column of long texts would else keep all other threads waiting.
const GROUPS_AT_ONCE: usize = 4;

/// Stated by every file, with no version of a library in it.
const CREATED_BY: &str = "tessera";

/// What a file is to hold.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Name of the table, for messages.
    pub(crate) table: String,
    /// The columns as they are published.
    pub(crate) schema: SchemaRef,
    /// Numbers of the columns that rows are sorted by, all rising, nulls last.
    pub(crate) sorted_by: Vec<usize>,
    /// No two rows agree in all of these.
    pub(crate) unique: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) rows: u64,
}

/// The type under which a type is published: flat, plain, without dictionaries. `None` where there is none.
pub(crate) fn published_type(ty: &DataType) -> Option<DataType> {
    Some(match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Int64 | DataType::Float64 | DataType::Date32 | DataType::Boolean => ty.clone(),
        DataType::Decimal128(..) => ty.clone(),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
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

/// A table on its way into a file.
struct TableWriter<'a, W: Write + Send> {
    layout: &'a Layout,
    path: &'a Path,
    order: Order,
    /// Cuts the rows into row groups.
    coalescer: BatchCoalescer,
    file: SerializedFileWriter<Hashed<W>>,
    columns: ArrowRowGroupWriterFactory,
    ledger: Arc<Ledger>,
    /// Row groups that wait to be encoded together.
    waiting: Vec<RecordBatch>,
    groups: usize,
    rows: u64,
}

impl<'a, W: Write + Send> TableWriter<'a, W> {
    fn new(layout: &'a Layout, sink: W, path: &'a Path) -> Result<Self, StoreError> {
        let failed = |error| failed(layout, path, error);
        let schema = ArrowSchemaConverter::new()
            .convert(&layout.schema)
            .map_err(failed)?;
        let properties = Arc::new(properties(layout));
        let hashed = Hashed {
            sink,
            hash: Sha256::new(),
            bytes: 0,
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
            coalescer: BatchCoalescer::new(layout.schema.clone(), ROW_GROUP_ROWS),
            file,
            columns,
            ledger,
            waiting: Vec::new(),
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
        self.coalescer
            .push_batch(batch)
            .map_err(|error| bad(self.layout, error))?;
        self.write_groups()
    }

    fn write_groups(&mut self) -> Result<(), StoreError> {
        while let Some(group) = self.coalescer.next_completed_batch() {
            self.waiting.push(group);
            if self.waiting.len() == GROUPS_AT_ONCE {
                self.write_waiting()?;
            }
        }
        Ok(())
    }

    fn write_waiting(&mut self) -> Result<(), StoreError> {
        let groups = std::mem::take(&mut self.waiting);
        self.encode_groups(&groups)
            .map_err(|error| failed(self.layout, self.path, error))
    }

    /// Encodes all columns of the groups at the same time, and writes the groups in order.
    fn encode_groups(&mut self, groups: &[RecordBatch]) -> Result<(), ParquetError> {
        let mut columns = Vec::new();
        for (number, rows) in groups.iter().enumerate() {
            let writers = self
                .columns
                .create_column_writers(self.groups + number)?
                .into_iter()
                .zip(self.ledger.take());
            let fields = self.layout.schema.fields().iter().zip(rows.columns());
            columns.extend(writers.zip(fields));
        }
        let mut chunks = columns
            .into_par_iter()
            .map(|((writer, pages), (field, column))| encode(writer, &pages, field, column))
            .collect::<Result<Vec<_>, ParquetError>>()?
            .into_iter();
        for rows in groups {
            let mut group = self.file.next_row_group()?;
            for (bytes, noted) in chunks.by_ref().take(rows.num_columns()) {
                group.append_column(&bytes, noted)?;
            }
            group.close()?;
            self.groups += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(W, Written), StoreError> {
        self.coalescer
            .finish_buffered_batch()
            .map_err(|error| bad(self.layout, error))?;
        self.write_groups()?;
        self.write_waiting()?;
        let hashed = self
            .file
            .into_inner()
            .map_err(|error| failed(self.layout, self.path, error))?;
        let written = Written {
            bytes: hashed.bytes,
            sha256: hex(&hashed.hash.finalize()),
            rows: self.rows,
        };
        Ok((hashed.sink, written))
    }
}

/// One column chunk.
fn encode(
    mut writer: ArrowColumnWriter,
    pages: &Mutex<Pages>,
    field: &Field,
    column: &ArrayRef,
) -> Result<(bytes::Bytes, ColumnCloseResult), ParquetError> {
    for leaf in compute_leaves(field, column)? {
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
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting));
    if let ([key], true) = (layout.sorted_by.as_slice(), layout.unique) {
        // No value comes twice: a dictionary would be built and thrown away.
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
                "{} columns where {} were announced",
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
                    format!("column `{}` has nulls, which it may not have", field.name()),
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
                        "column `{}` came as {found}, announced as {wanted}",
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

/// A full disk is the system's error, anything else the table's.
fn failed(layout: &Layout, path: &Path, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => StoreError::io("write table", path, *error),
            Err(other) => bad(layout, other),
        },
        other => bad(layout, other),
    }
}

/// A sink that hashes and counts what passes through.
struct Hashed<W> {
    sink: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// The columns as they are published: plain types, and nulls allowed as `nullable` says.
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
