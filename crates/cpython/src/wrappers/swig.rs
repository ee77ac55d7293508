//! SWIG, 3.0 to 4.5: `SwigPyObject`, or an instance of a `-builtin` class, which has the
//! same fields, and `swig_type_info`, `SwigPyClientData` (the runtime that `swig
//! -external-runtime` writes).

use undying_memory::Memory;

use super::{Native, name_at};
use crate::layout::Layout;
use crate::object;
use crate::space::{Body, Space};
use crate::visit::Context;

/// The class behind a proxy's `this`; since 4.4 it lies in a module `swig_runtime_data5`.
pub const CLASS: &str = "SwigPyObject";
/// The class of `-builtin` classes.
const META: &str = "SwigPyObjectType";

/// `ptr`, `ty`, `own` of `SwigPyObject`.
const PTR: u32 = 16;
const TY: u32 = 24;
const OWN: u32 = 32;
/// `SWIG_POINTER_OWN`.
const POINTER_OWN: u32 = 1;
/// `name`, `str`, `clientdata` of `swig_type_info`.
const NAME: u32 = 0;
const STR: u32 = 8;
const CLIENT_DATA: u32 = 32;
const INFO_BYTES: usize = 48;
/// `klass`, `destroy`, `pytype` of `SwigPyClientData`.
const KLASS: u32 = 0;
const DESTROY: u32 = 24;
const CLIENT_BYTES: usize = 48;

/// Whether a class is one of `-builtin`.
pub fn is_builtin(space: &Space, layout: &Layout, class: Body) -> bool {
    let meta = space.body_or_empty(class.word(object::TYPE));
    let name = meta.word(layout.type_.name);
    space.c_string(name, 64).is_ok_and(|n| n.rsplit('.').next() == Some(META))
}

/// What an object says.
pub fn read(cx: &Context, body: Body) -> Option<Native> {
    let (info, own) = (body.word(TY), body.half(OWN));
    let mut bytes = [0; INFO_BYTES];
    cx.space.read(info, &mut bytes).ok()?;
    let information = Body(&bytes);
    // `_p_Mesh`; a type's own name is mangled with a prefix of its kind
    let mangled = name_at(cx.space, information.word(NAME)).filter(|n| n.starts_with('_'))?;
    // names that mean the same, the last one the user's own (`SWIG_TypePrettyName`)
    let pretty = name_at(cx.space, information.word(STR));
    let pretty = pretty.map(|p| p.rsplit('|').next().unwrap_or(&p).to_owned());
    Some(Native {
        type_name: Some(pretty.unwrap_or(mangled)),
        address: body.word(PTR),
        owned: (own <= 0xff).then_some(own & POINTER_OWN != 0),
        destructor: destructor(cx, information.word(CLIENT_DATA)),
        information: info,
        ..Native::default()
    })
}

/// Whether there is something to call when an owner goes (`SwigPyObject_dealloc`): without
/// client data there is none.  A `-builtin` class frees in its own slot, which does not
/// tell.
fn destructor(cx: &Context, data: u64) -> Option<bool> {
    if data == 0 {
        return Some(false);
    }
    let mut bytes = [0; CLIENT_BYTES];
    cx.space.read(data, &mut bytes).ok()?;
    let (class, destroy) = (Body(&bytes).word(KLASS), Body(&bytes).word(DESTROY));
    let is_class = class != 0 && cx.classes.at(cx.space, cx.layout, class).is_some();
    let callable = cx.space.body(destroy).map_or(0, |b| b.word(object::TYPE));
    match destroy {
        _ if !is_class => None,
        0 => Some(false),
        _ => cx.classes.at(cx.space, cx.layout, callable).map(|_| true),
    }
}
