//! `ctypes`: `CDataObject` (Modules/_ctypes/ctypes.h, the same from 3.8 to 3.13).

use undying_graph::LabelId;

use super::Native;
use crate::class::Class;
use crate::space::Body;
use crate::visit::Context;

/// `b_ptr`, `b_needsfree`, `b_size`.
const PTR: u32 = 16;
const NEEDS_FREE: u32 = 24;
const SIZE: u32 = 40;
/// No buffer is larger, in bytes.
const LARGEST: u64 = 1 << 47;

/// What an object says.
pub fn read(cx: &Context, class: &Class, body: Body) -> Option<Native> {
    let needs_free = body.half(NEEDS_FREE);
    if needs_free > 1 || body.word(SIZE) > LARGEST {
        return None;
    }
    let type_name = (class.name != LabelId::NONE).then(|| cx.classes.text(class.name));
    Some(Native { type_name, address: body.word(PTR), owned: Some(needs_free == 1), ..Native::default() })
}
