//! Is the layout right for this target?  Asked of the frozen copy before the walk:
//! a wrong table must stop the capture, not bend the graph.

use undying_memory::Memory;

use crate::layout::ABSENT;
use crate::object;
use crate::visit::{Context, dict};

/// Check types, sizes, dictionaries and the version against each other; the patch
/// version as `3.12.1`, or what did not fit.
pub fn prove(cx: &Context, interpreter: u64) -> Result<String, String> {
    let body = cx.space.body(interpreter).ok_or("the interpreter's state was not copied")?;
    let builtins = body.word(cx.layout.interp.builtins);
    dict::lookup(cx.space, cx.layout, builtins, "len").ok_or("builtins has no 'len'")?;
    let modules = body.word(cx.layout.interp.modules);
    dict::lookup(cx.space, cx.layout, modules, "sys").ok_or("sys.modules has no 'sys'")?;
    basic_sizes(cx, builtins)?;
    let sys = body.word(cx.layout.interp.sysdict);
    let hex = dict::lookup(cx.space, cx.layout, sys, "hexversion").ok_or("sys has no 'hexversion'")?;
    let hex = cx.space.body_or_empty(hex).half(cx.layout.long.digit);
    let (major, minor) = cx.layout.version;
    if (hex >> 24, hex >> 16 & 255) != (u32::from(major), u32::from(minor)) {
        return Err(format!("sys.hexversion is {hex:#x} and the table is of {major}.{minor}"));
    }
    Ok(version_text(hex))
}

/// `sys.hexversion` as people write it.
fn version_text(hex: u32) -> String {
    let base = format!("{}.{}.{}", hex >> 24, hex >> 16 & 255, hex >> 8 & 255);
    match hex >> 4 & 15 {
        0xa => format!("{base}a{}", hex & 15),
        0xb => format!("{base}b{}", hex & 15),
        0xc => format!("{base}rc{}", hex & 15),
        _ => base,
    }
}

/// Each builtin's own `tp_basicsize` must be the table's.
fn basic_sizes(cx: &Context, builtins: u64) -> Result<(), String> {
    let l = cx.layout;
    let expected = [
        ("type", l.heap_type.size),
        ("dict", l.dict.size),
        ("list", l.list.size),
        ("tuple", l.tuple.item),
        ("set", l.set.size),
        ("str", l.unicode.size),
        ("int", l.long.digit),
        ("float", l.float.size),
        ("bytearray", l.bytearray.size),
    ];
    for (name, size) in expected {
        let class = dict::lookup(cx.space, l, builtins, name).ok_or_else(|| format!("builtins has no '{name}'"))?;
        let body = cx.space.body_or_empty(class);
        let text = cx.space.c_string(body.word(l.type_.name), 64).unwrap_or_default();
        // int, tuple and the like are measured to the first item: rounding aside
        let basic = body.word(l.type_.basicsize);
        if text != name || size == ABSENT || basic != u64::from(size) {
            return Err(format!("{name} is '{text}' of {basic} bytes and should be of {size}"));
        }
        let _ = object::TYPE;
    }
    Ok(())
}
