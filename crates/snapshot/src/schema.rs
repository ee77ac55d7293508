//! The tables: file names, columns, types, in Parquet's own schema language.
//! The one place that names columns for the writer; `docs/FORMAT.md` explains
//! them.  A change of a name, a unit or a meaning here raises [`SCHEMA`].

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

/// The number of the schema written here, and the highest that is read.
pub const SCHEMA: u32 = 1;

/// Rows of a page of the big tables.
pub(crate) const PAGE_ROWS: usize = 1 << 16;

/// Rows of a row group, a whole number of pages.
pub(crate) const GROUP_ROWS: usize = 16 * PAGE_ROWS;

/// One table.
pub(crate) struct Table {
    /// The file in the snapshot's directory.
    pub file: &'static str,
    /// Its columns, as Parquet's schema language has them.
    pub message: &'static str,
    /// The column by which the rows are sorted, if any.
    pub sorted_by: Option<i32>,
}

pub(crate) const META: &str = "meta.json";

pub(crate) const OBJECTS: Table = Table {
    file: "objects.parquet",
    sorted_by: Some(0),
    message: "message objects {
        required int64 address;
        required int32 type_id (INTEGER(32,false));
        required int64 shallow_bytes;
        optional int64 refcount;
        required boolean gc_tracked;
        required int32 flags (INTEGER(32,false));
    }",
};

pub(crate) const EDGES: Table = Table {
    file: "edges.parquet",
    sorted_by: Some(0),
    message: "message edges {
        required int32 source (INTEGER(32,false));
        required int32 target (INTEGER(32,false));
        required binary kind (STRING);
        optional binary label (STRING);
        optional int64 index;
        required binary certainty (STRING);
    }",
};

/// The same columns for the references that a traversal by the cyclic collector cannot
/// confirm.
pub(crate) const UNTRAVERSED: Table = Table { file: "untraversed.parquet", ..EDGES };

pub(crate) const TYPES: Table = Table {
    file: "types.parquet",
    sorted_by: Some(0),
    message: "message types {
        required int32 type_id (INTEGER(32,false));
        required binary name (STRING);
        optional int32 object_id (INTEGER(32,false));
        required int64 basic_bytes;
        required int64 item_bytes;
        optional binary module_file (STRING);
        required binary origin (STRING);
        required boolean has_gc;
        required boolean has_del;
    }",
};

pub(crate) const ROOTS: Table = Table {
    file: "roots.parquet",
    sorted_by: None,
    message: "message roots {
        required int32 object_id (INTEGER(32,false));
        required binary kind (STRING);
        optional binary label (STRING);
    }",
};

pub(crate) const NAMES: Table = Table {
    file: "names.parquet",
    sorted_by: Some(0),
    message: "message names {
        required int32 object_id (INTEGER(32,false));
        required binary name (STRING);
        optional binary file (STRING);
        optional int32 line (INTEGER(32,false));
    }",
};

pub(crate) const REGIONS: Table = Table {
    file: "regions.parquet",
    sorted_by: None,
    message: "message regions {
        required int64 start;
        required int64 end;
        required binary permissions (STRING);
        required int64 offset;
        required binary path (STRING);
        optional int64 resident_bytes;
        required binary claim (STRING);
    }",
};

pub(crate) const BIRTHS: Table = Table {
    file: "births.parquet",
    sorted_by: Some(0),
    message: "message births {
        required int32 object_id (INTEGER(32,false));
        required int32 place (INTEGER(32,false));
        optional int32 epoch (INTEGER(32,false));
    }",
};

pub(crate) const PLACES: Table = Table {
    file: "places.parquet",
    sorted_by: None,
    message: "message places {
        optional binary file (STRING);
        optional binary function (STRING);
        optional int32 line (INTEGER(32,false));
        optional int32 parent (INTEGER(32,false));
    }",
};

pub(crate) const DEATHS: Table = Table {
    file: "deaths.parquet",
    sorted_by: None,
    message: "message deaths {
        required binary type (STRING);
        optional int32 type_id (INTEGER(32,false));
        optional int32 place (INTEGER(32,false));
        required int64 by_count;
        required int64 by_collector;
    }",
};

/// Objects that stand for something native: there only where there are any.
pub(crate) const WRAPPERS: Table = Table {
    file: "wrappers.parquet",
    sorted_by: Some(0),
    message: "message wrappers {
        required int32 object_id (INTEGER(32,false));
        required binary system (STRING);
        optional binary native_type (STRING);
        required int64 native_address;
        optional boolean owned;
        optional boolean destructor;
        optional boolean holder;
        optional int64 native_bytes;
        optional int32 pointers (INTEGER(32,false));
        optional binary module_file (STRING);
    }",
};

/// The tables that are there only where births were recorded.
pub(crate) const RECORDED: [&Table; 3] = [&PLACES, &DEATHS, &BIRTHS];

impl Table {
    /// The columns, parsed.
    pub fn parsed(&self) -> parquet::errors::Result<TypePtr> {
        Ok(Arc::new(parse_message_type(self.message)?))
    }

    /// How the file is written, apart from the pages.
    pub fn properties(&self, undying: &str) -> parquet::errors::Result<WriterPropertiesPtr> {
        let sorted =
            self.sorted_by.map(|column_idx| vec![SortingColumn { column_idx, descending: false, nulls_first: false }]);
        // numbers that ascend are no matter for a dictionary
        let ascending = || ColumnPath::from("object_id");
        Ok(Arc::new(
            WriterProperties::builder()
                .set_column_dictionary_enabled(ascending(), false)
                .set_column_encoding(ascending(), Encoding::DELTA_BINARY_PACKED)
                .set_writer_version(WriterVersion::PARQUET_1_0)
                .set_created_by(format!("undying {undying}"))
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                .set_statistics_enabled(EnabledStatistics::Chunk)
                .set_offset_index_disabled(true)
                .set_sorting_columns(sorted)
                .set_key_value_metadata(Some(vec![KeyValue::new("undying.schema".into(), SCHEMA.to_string())]))
                .build(),
        ))
    }
}
