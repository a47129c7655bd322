//! Published Parquet files: what every BI tool reads without a plug-in, and the same bytes for the same rows.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sha2::{Digest, Sha256};

use crate::commit::{CommittedFile, hex};
use crate::error::StoreError;

/// Rows per row group: enough to compress well, few enough that a reader of one customer skips most of a table.
const ROW_GROUP_ROWS: usize = 131_072;

/// Stated by every file, with no version of a library in it.
const CREATED_BY: &str = "tessera";

/// A file that hashes and counts what passes through.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The types that are published: flat, plain, without dictionaries.
pub(crate) fn published_type(ty: &DataType) -> Option<DataType> {
    Some(match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Int64 | DataType::Float64 | DataType::Date32 | DataType::Boolean => ty.clone(),
        DataType::Decimal128(..) => ty.clone(),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

/// The schema as it is published.
pub(crate) fn published_schema(table: &str, schema: &Schema) -> Result<SchemaRef, StoreError> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| {
            let ty = published_type(field.data_type()).ok_or_else(|| StoreError::BadTable {
                table: table.to_owned(),
                reason: format!("column `{}` is {}, which is not published", field.name(), field.data_type()),
            })?;
            Ok(Field::new(field.name(), ty, field.is_nullable()))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Writes the batches as one file, sorted by these columns as the caller promises, and makes it durable.
pub(crate) fn write_file(
    table: &str,
    name: &str,
    file: File,
    schema: &SchemaRef,
    sorted_by: &[usize],
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
) -> Result<CommittedFile, StoreError> {
    let failed = |reason: String| StoreError::BadTable { table: table.to_owned(), reason };
    let published = published_schema(table, schema)?;
    let hashed = Hashed { file: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new(), bytes: 0 };
    let options = ArrowWriterOptions::new().with_properties(properties(sorted_by)).with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(hashed, published.clone(), options).map_err(|error| failed(error.to_string()))?;
    let mut rows = 0;
    for batch in batches {
        let batch = converted(table, &batch?, &published)?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    }
    let hashed = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    let file = hashed.file.into_inner().map_err(|error| StoreError::io("write table", name.as_ref(), error.into_error()))?;
    file.sync_all().map_err(|error| StoreError::io("fsync table", name.as_ref(), error))?;
    Ok(CommittedFile { path: name.to_owned(), bytes: hashed.bytes, sha256: hex(&hashed.hash.finalize()), rows })
}

fn properties(sorted_by: &[usize]) -> WriterProperties {
    let sorting = sorted_by
        .iter()
        .map(|&column| SortingColumn { column_idx: column as i32, descending: false, nulls_first: false })
        .collect();
    WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting))
        .build()
}

fn converted(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StoreError> {
    let failed = |reason: String| StoreError::BadTable { table: table.to_owned(), reason };
    if batch.num_columns() != schema.fields().len() {
        return Err(failed(format!("{} columns where {} were announced", batch.num_columns(), schema.fields().len())));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(column.clone());
            }
            arrow::compute::cast(column, field.data_type()).map_err(|error| failed(format!("column `{}`: {error}", field.name())))
        })
        .collect::<Result<Vec<ArrayRef>, StoreError>>()?;
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| failed(error.to_string()))
}
