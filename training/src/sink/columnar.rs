//! Apache Parquet.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::values;
use crate::dataset::Row;
use crate::error::TrainingError;

/// Writes all columns as required strings, in one row group.
pub(super) fn write(path: &Path, columns: &[String], rows: &[Row]) -> Result<(), TrainingError> {
    let unwritable = |source| TrainingError::Unwritable { path: path.to_owned(), source };
    let file = File::create(path).map_err(unwritable)?;
    write_columns(file, columns, rows).map_err(|error| unwritable(std::io::Error::other(error)))
}

fn write_columns(file: File, columns: &[String], rows: &[Row]) -> Result<(), ParquetError> {
    let fields =
        columns.iter().map(|name| Ok(Arc::new(string(name)?))).collect::<Result<Vec<TypePtr>, ParquetError>>()?;
    let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in 0..columns.len() {
        let cells: Vec<ByteArray> =
            rows.iter().map(|row| ByteArray::from(values(row).nth(column).unwrap_or(""))).collect();
        if let Some(mut next) = group.next_column()? {
            next.typed::<ByteArrayType>().write_batch(&cells, None, None)?;
            next.close()?;
        }
    }
    group.close()?;
    writer.close().map(drop)
}

fn string(name: &str) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::String))
        .build()
}
