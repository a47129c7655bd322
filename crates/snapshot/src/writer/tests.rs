//! The content of published files, and that equal rows give equal bytes.

use arrow::array::{
    BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, LargeStringArray,
    StringArray, StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, LogicalType, Repetition, Type};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::*;

/// Two row groups and a bit, with nulls, long and short texts.
const ROWS: usize = ROW_GROUP_ROWS + 10_000;

fn table(rows: usize) -> RecordBatch {
    let number = |row: usize| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let key: StringArray = (0..rows).map(|row| Some(format!("c{row:09}"))).collect();
    let spend: Float64Array = (0..rows)
        .map(|row| (row % 7 != 0).then(|| number(row) as f64 / 1e9))
        .collect();
    let orders: Int64Array = (0..rows)
        .map(|row| Some((number(row) >> 50) as i64))
        .collect();
    let stage: StringArray = (0..rows)
        .map(|row| (row % 11 != 0).then_some(["active", "at risk", "lost"][row % 3]))
        .collect();
    let note: StringArray = (0..rows)
        .map(|row| Some(format!("{:x}", number(row)).repeat(1 + row % 3)))
        .collect();
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        (
            "as_of",
            Arc::new(Date32Array::from(vec![20_000; rows])),
            false,
        ),
        ("key", Arc::new(key), false),
        ("spend", Arc::new(spend), true),
        ("orders", Arc::new(orders), false),
        ("stage", Arc::new(stage), true),
        ("note", Arc::new(note), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn layout(batch: &RecordBatch, sorted_by: &[usize]) -> Layout {
    let schema = published_schema("t", batch.schema_ref(), |_, field| field.is_nullable()).unwrap();
    Layout {
        table: "t".to_owned(),
        schema,
        sorted_by: sorted_by.to_vec(),
        unique: true,
    }
}

fn write(layout: &Layout, batches: Vec<RecordBatch>) -> Result<(Vec<u8>, Written), StoreError> {
    write_parquet(
        layout,
        batches.into_iter().map(Ok),
        Vec::new(),
        Path::new("t.parquet"),
    )
}

fn cut(batch: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    (0..rows.div_ceil(size))
        .map(|number| batch.slice(number * size, size.min(rows - number * size)))
        .collect()
}

fn read(bytes: &[u8]) -> Result<RecordBatch, parquet::errors::ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes))?;
    let schema = builder.schema().clone();
    let batches = builder.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

fn metadata(bytes: &[u8]) -> Arc<ParquetMetaData> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(
        Bytes::copy_from_slice(bytes),
        options,
    )
    .unwrap();
    builder.metadata().clone()
}

#[test]
fn bytes_do_not_depend_on_batches_or_threads() {
    let rows = table(ROWS);
    let layout = layout(&rows, &[1]);
    let (bytes, written) = write(&layout, vec![rows.clone()]).unwrap();
    assert_eq!(
        (written.bytes, written.rows),
        (bytes.len() as u64, ROWS as u64)
    );
    assert_eq!(written.sha256, crate::commit::sha256(&bytes));
    assert!(read(&bytes).unwrap() == rows, "what was written comes back");
    for (threads, size) in [(1, ROWS), (2, 777), (8, 65_536), (2, ROW_GROUP_ROWS)] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let (other, _) = pool.install(|| write(&layout, cut(&rows, size))).unwrap();
        assert!(bytes == other, "{threads} threads, batches of {size}");
    }
}

#[test]
fn every_file_has_statistics_page_index_sorting_and_bounded_row_groups() {
    let rows = table(ROWS);
    let (bytes, _) = write(&layout(&rows, &[1]), vec![rows.clone()]).unwrap();
    let found = metadata(&bytes);
    let file = found.file_metadata();
    assert_eq!(
        file.created_by(),
        Some("tessera"),
        "neither a version of a library nor a clock"
    );
    assert!(
        file.key_value_metadata().is_none_or(Vec::is_empty),
        "no ARROW:schema"
    );
    let sizes: Vec<i64> = found
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(sizes, [ROW_GROUP_ROWS as i64, 10_000]);
    for (number, group) in found.row_groups().iter().enumerate() {
        let sorting = group.sorting_columns().unwrap();
        assert_eq!(
            sorting,
            &[SortingColumn {
                column_idx: 1,
                descending: false,
                nulls_first: false
            }]
        );
        for (place, column) in group.columns().iter().enumerate() {
            assert!(matches!(column.compression(), Compression::ZSTD(_)));
            let statistics = column.statistics().unwrap();
            assert!(
                statistics.min_bytes_opt().is_some() && statistics.null_count_opt().is_some(),
                "column {place}"
            );
            let pages = &found
                .page_index()
                .unwrap()
                .offset_index(number, place)
                .unwrap()
                .page_locations;
            let size: i64 = pages
                .iter()
                .map(|page| i64::from(page.compressed_page_size))
                .sum();
            assert_eq!(column.data_page_offset(), pages[0].offset, "column {place}");
            let (start, length) = column.byte_range();
            let dictionary = pages[0].offset as u64 - start;
            assert_eq!(
                length,
                dictionary + size as u64,
                "pages fill the chunk of column {place}"
            );
            assert!(pages.windows(2).all(|pair| pair[0].offset
                + i64::from(pair[0].compressed_page_size)
                == pair[1].offset));
            assert_eq!(dictionary > 0, column.dictionary_page_offset().is_some());
        }
    }
    let repetitions: Vec<Repetition> = file
        .schema_descr()
        .columns()
        .iter()
        .map(|c| c.self_type().get_basic_info().repetition())
        .collect();
    let (must, may) = (Repetition::REQUIRED, Repetition::OPTIONAL);
    assert_eq!(repetitions, [must, must, may, must, may, must]);
}

#[test]
fn a_flipped_byte_in_any_page_breaks_its_checksum() {
    let rows = table(50_000);
    let (bytes, _) = write(&layout(&rows, &[1]), vec![rows]).unwrap();
    let found = metadata(&bytes);
    let mut pages = 0;
    for (place, column) in found.row_group(0).columns().iter().enumerate() {
        let locations = &found
            .page_index()
            .unwrap()
            .offset_index(0, place)
            .unwrap()
            .page_locations;
        let mut ends: Vec<i64> = locations
            .iter()
            .map(|page| page.offset + i64::from(page.compressed_page_size))
            .collect();
        ends.extend(
            column
                .dictionary_page_offset()
                .map(|_| column.data_page_offset()),
        );
        for end in ends {
            // The last byte of a page belongs to its data, not its header.
            let mut other = bytes.clone();
            other[end as usize - 1] ^= 0x40;
            let error = read(&other)
                .expect_err("the flip must be noticed")
                .to_string();
            assert!(error.contains("CRC"), "column {place}: {error}");
            pages += 1;
        }
    }
    assert!(
        pages > 10,
        "dictionary and data pages of all columns: {pages}"
    );
}

#[test]
fn all_published_types_come_back_and_others_are_refused() {
    let texts = ["a", "b", "é"];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("view", Arc::new(StringViewArray::from_iter_values(texts))),
        ("large", Arc::new(LargeStringArray::from_iter_values(texts))),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![1_500, 2_000, 3_000])),
        ),
        (
            "micros",
            Arc::new(TimestampMicrosecondArray::from(vec![
                None,
                Some(-1),
                Some(i64::MAX),
            ])),
        ),
        (
            "odd",
            Arc::new(Float64Array::from(vec![f64::NAN, -0.0, f64::INFINITY])),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let (bytes, _) = write(&layout(&batch, &[0]), vec![batch]).unwrap();
    let back = read(&bytes).unwrap();
    let types: Vec<&DataType> = back
        .schema_ref()
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(
        types,
        [
            &DataType::Utf8,
            &DataType::Utf8,
            &DataType::Boolean,
            &micros,
            &micros,
            &DataType::Float64
        ]
    );
    assert_eq!(
        back.column(3).as_ref(),
        &TimestampMicrosecondArray::from(vec![1, 2, 3]) as &dyn Array
    );
    let column = metadata(&bytes);
    let column = column.file_metadata().schema_descr().column(0);
    assert_eq!(
        (column.physical_type(), column.logical_type_ref()),
        (Type::BYTE_ARRAY, Some(&LogicalType::String))
    );

    let dictionary: DictionaryArray<Int32Type> = texts.into_iter().collect();
    let batch = RecordBatch::try_from_iter([("stage", Arc::new(dictionary) as ArrayRef)]).unwrap();
    let error = published_schema("t", batch.schema_ref(), |_, _| true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("`stage` is Dictionary"), "{error}");
}

#[test]
fn an_empty_table_is_a_readable_file() {
    let rows = table(0);
    let (bytes, written) = write(&layout(&rows, &[1]), vec![]).unwrap();
    assert_eq!(written.rows, 0);
    assert_eq!(read(&bytes).unwrap().schema(), rows.schema());
}

#[test]
fn misplaced_rows_repeated_keys_and_nulls_are_refused_without_their_content() {
    let rows = table(30);
    let layout = layout(&rows, &[1]);
    let error = |batches: Vec<RecordBatch>| write(&layout, batches).unwrap_err().to_string();
    assert_eq!(
        error(vec![rows.slice(10, 5), rows.slice(9, 1)]),
        "table `t`: row 6 is not in the order of the table"
    );
    assert_eq!(
        error(vec![rows.slice(0, 5), rows.slice(4, 2)]),
        "table `t`: row 6 has the same key as the row before it"
    );
    let mut columns = rows.columns().to_vec();
    columns[3] = Arc::new(Int64Array::from(vec![None; 30]));
    let fields: Vec<Field> = rows
        .schema_ref()
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    let nulls = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert_eq!(
        error(vec![nulls]),
        "table `t`: column `orders` has nulls, but is not nullable"
    );
    assert_eq!(
        error(vec![rows.project(&[0]).unwrap()]),
        "table `t`: 1 columns instead of 6"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_the_systems_error() {
    let rows = table(20_000);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let error = write_parquet(
        &layout(&rows, &[1]),
        std::iter::once(Ok(rows)),
        full,
        Path::new("run/t.parquet"),
    )
    .unwrap_err();
    assert_eq!(error.exit_code(), 4);
    let message = error.to_string();
    assert!(
        message.contains("run/t.parquet") && message.contains("os error 28"),
        "{message}"
    );
}
