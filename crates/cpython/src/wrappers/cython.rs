//! Cython's extension types: the C structure is the object, so it is freed with it.

use undying_graph::LabelId;

use super::Native;
use crate::class::Class;
use crate::layout::Layout;
use crate::space::{Body, Space};
use crate::visit::{Context, dict};

/// Names that Cython puts into the dictionary of a class: its C methods, and how it is (or
/// is not) pickled.
const MARKS: [&str; 3] = ["__pyx_vtable__", "__reduce_cython__", "__setstate_cython__"];

/// Whether Cython made a class.
pub fn is_class(space: &Space, layout: &Layout, class: Body) -> bool {
    let own = class.word(layout.type_.dict);
    own != 0 && dict::entries(space, layout, own).any(|(k, _)| MARKS.iter().any(|m| dict::text_is(space, layout, k, m)))
}

/// What an object says.
pub fn read(cx: &Context, class: &Class, address: u64) -> Native {
    let type_name = (class.name != LabelId::NONE).then(|| cx.classes.text(class.name));
    Native { type_name, address, owned: Some(true), ..Native::default() }
}
