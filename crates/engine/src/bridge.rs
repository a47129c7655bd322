//! Converts columns of stage files to polars and back, through the C data interface of Arrow, which passes buffers without a copy.
//! Only texts are copied, since polars stores them as views.

use arrow::array::{Array, ArrayRef, make_array};
use arrow::datatypes::DataType;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude::{CompatLevel, PlSmallStr, Series};
use polars_arrow::datatypes::Field;
use polars_arrow::ffi::{
    ArrowArray, ArrowSchema, export_array_to_c, export_field_to_c, import_array_from_c,
    import_field_from_c,
};

use crate::error::EngineError;

/// A column of a stage file for polars.
pub(crate) fn to_polars(name: &str, column: &ArrayRef) -> Result<Series, EngineError> {
    let (array, schema): (FFI_ArrowArray, FFI_ArrowSchema) = to_ffi(&column.to_data())?;
    // SAFETY: the types of both crates are the structures `ArrowArray` and `ArrowSchema` that the C data interface prescribes, field
    // by field (`repr(C)`; the compiler compares their sizes). `transmute` moves them, so each is released once, by its new owner.
    let (array, schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, ArrowArray>(array),
            std::mem::transmute::<FFI_ArrowSchema, ArrowSchema>(schema),
        )
    };
    // SAFETY: arrow filled both structures, and the array is of the type that the schema states.
    let chunk = unsafe {
        let field = import_field_from_c(&schema)?;
        import_array_from_c(array, field.dtype)?
    };
    Ok(Series::try_from((PlSmallStr::from_str(name), vec![chunk]))?)
}

/// A column of polars for a stage file, in which it has the type `ty`.
pub(crate) fn to_arrow(series: &Series, ty: &DataType) -> Result<ArrayRef, EngineError> {
    let chunk = series.rechunk().to_arrow(0, CompatLevel::newest());
    let field = Field::new(series.name().clone(), chunk.dtype().clone(), true);
    let (array, schema) = (export_array_to_c(chunk), export_field_to_c(&field));
    // SAFETY: as above, the other way round.
    let (array, schema) = unsafe {
        (
            std::mem::transmute::<ArrowArray, FFI_ArrowArray>(array),
            std::mem::transmute::<ArrowSchema, FFI_ArrowSchema>(schema),
        )
    };
    // SAFETY: polars filled both structures, and the array is of the type that the schema states.
    let made = make_array(unsafe { from_ffi(array, &schema)? });
    if made.data_type() == ty {
        return Ok(made);
    }
    Ok(arrow::compute::cast(&made, ty)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn columns() -> Vec<ArrayRef> {
        vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN)])),
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-0.0)])),
            Arc::new(StringArray::from(vec![
                Some("a"),
                None,
                Some("a text beyond twelve bytes"),
            ])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Date32Array::from(vec![Some(20_000), None, Some(-1)])),
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1),
                None,
                Some(-1),
            ])),
        ]
    }

    #[test]
    fn columns_come_back_as_they_were() {
        for column in columns() {
            for (start, length) in [(0, 3), (1, 2), (2, 1), (0, 0)] {
                let part = column.slice(start, length);
                let series = to_polars("x", &part).unwrap();
                assert_eq!(series.len(), length);
                let back = to_arrow(&series, part.data_type()).unwrap();
                assert_eq!(&back, &part);
            }
        }
    }

    #[test]
    fn numbers_are_not_copied() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None, Some(2.0)]));
        let series = to_polars("x", &column).unwrap();
        let back = to_arrow(&series, column.data_type()).unwrap();
        let address = |column: &ArrayRef| column.to_data().buffers()[0].as_ptr();
        assert_eq!(address(&column), address(&back));
    }
}
