//! Parquet's pages, made and taken apart by hand.  The stock writers hash every
//! value and handle every level; the big tables' columns are known so well that
//! neither is needed.  Knows encodings and bytes, not what a column means.

pub(crate) mod chunk;
pub(crate) mod delta;
mod header;
pub(crate) mod hybrid;
pub(crate) mod load;
mod pack;
mod varint;
