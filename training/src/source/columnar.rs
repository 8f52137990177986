//! Apache Parquet.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::{Columns, RawRow};
use crate::error::{Location, TrainingError};

pub(super) fn read(path: &Arc<Path>, columns: &Columns<'_>) -> Result<Vec<RawRow>, TrainingError> {
    let file = File::open(path).map_err(|source| TrainingError::Unreadable { path: path.to_path_buf(), source })?;
    let broken = |source: ParquetError| TrainingError::Parquet { path: path.to_path_buf(), source };
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();
    let column = |wanted: &str| {
        schema.get_fields().iter().find(|field| field.name() == wanted).cloned().ok_or_else(|| {
            TrainingError::MissingColumn {
                path: path.to_path_buf(),
                wanted: wanted.to_owned(),
                found: schema.get_fields().iter().map(|field| field.name().to_owned()).collect(),
            }
        })
    };
    let mut names = vec![columns.text, columns.label];
    names.extend(columns.extra.iter().map(String::as_str));
    // A column may be asked for twice, but is read once.
    let distinct = names.iter().enumerate().filter(|(index, name)| !names[..*index].contains(name));
    let fields = distinct.map(|(_, name)| column(name)).collect::<Result<_, _>>()?;
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(broken)?;
    let mut rows = Vec::new();
    for (index, row) in reader.get_row_iter(Some(projection)).map_err(broken)?.enumerate() {
        let at = Location { path: path.clone(), line: index as u64 + 1 };
        let row = row.map_err(broken)?;
        let value = |name: &str| {
            row.get_column_iter().find(|(column, _)| *column == name).and_then(|(_, field)| plain(field)).ok_or_else(
                || TrainingError::Row {
                    at: at.clone(),
                    field: name.to_owned(),
                    message: "is null, or not a string, a number or a boolean".to_owned(),
                },
            )
        };
        let nullable = |name: &String| match row.get_column_iter().find(|(column, _)| *column == name) {
            Some((_, Field::Null)) => Ok(String::new()),
            _ => value(name),
        };
        let extra = columns.extra.iter().map(nullable).collect::<Result<_, _>>()?;
        rows.push(RawRow { text: value(columns.text)?, label: value(columns.label)?, extra, at: at.clone() });
    }
    Ok(rows)
}

fn plain(field: &Field) -> Option<String> {
    match field {
        Field::Str(text) => Some(text.clone()),
        Field::Bytes(bytes) => bytes.as_utf8().ok().map(str::to_owned),
        Field::Bool(value) => Some(value.to_string()),
        Field::Byte(value) => Some(value.to_string()),
        Field::Short(value) => Some(value.to_string()),
        Field::Int(value) => Some(value.to_string()),
        Field::Long(value) => Some(value.to_string()),
        Field::UByte(value) => Some(value.to_string()),
        Field::UShort(value) => Some(value.to_string()),
        Field::UInt(value) => Some(value.to_string()),
        Field::ULong(value) => Some(value.to_string()),
        _ => None,
    }
}
