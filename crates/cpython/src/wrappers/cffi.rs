//! cffi, 1.12 to 2.1: `CDataObject` and `CTypeDescrObject` (c/_cffi_backend.c).

use super::{Native, name_at};
use crate::class::Class;
use crate::object;
use crate::space::Body;
use crate::visit::Context;

/// Its module.
pub const MODULE: &str = "_cffi_backend.";

/// `c_type`, `c_data`.
const TYPE: u32 = 16;
const DATA: u32 = 24;

/// Whether a class of the module is one of data.
pub fn is_class(name: &str) -> bool {
    matches!(name, "_CDataBase" | "__CDataOwn" | "__CDataOwnGC" | "__CDataGCP" | "__CDataFromBuf" | "CData")
}

/// What an object says.
pub fn read(cx: &Context, class: &Class, body: Body) -> Option<Native> {
    let ctype = body.word(TYPE);
    let of = cx.space.body(ctype).map_or(0, |b| b.word(object::TYPE));
    let of = cx.classes.at(cx.space, cx.layout, of).and_then(|n| cx.classes.get(n))?;
    // the name is the variable part, the end of the structure
    let name = name_at(cx.space, ctype.checked_add(u64::from(of.basicsize))?).filter(|_| of.itemsize == 1)?;
    let class = cx.classes.text(class.name);
    let class = class.rsplit('.').next().unwrap_or("");
    Some(Native {
        type_name: Some(name),
        address: body.word(DATA),
        // of a buffer it keeps the owner; `ffi.gc` has a function to call
        owned: Some(matches!(class, "__CDataOwn" | "__CDataOwnGC" | "__CDataGCP")),
        destructor: (class == "__CDataGCP").then_some(true),
        ..Native::default()
    })
}
