//! What `sys.getsizeof` would say: each type's own `__sizeof__`, and the headers that
//! the collector put before the object.  Sources: the `sizeof` functions of CPython
//! `Objects/*.c`, `Modules/_collectionsmodule.c`, `Modules/_decimal/_decimal.c`.

use crate::builtin::SizeRule;
use crate::class::Class;
use crate::layout::{ABSENT, Layout};
use crate::object::{self, GC_HEADER, flag};
use crate::space::Body;
use crate::text::State;
use crate::visit::{Context, dict};

/// `sizeof(wchar_t)`.
const WIDE: u64 = 4;

/// Bytes of one object, collector's header included.
#[inline]
pub fn shallow(cx: &Context, class: &Class, body: Body) -> u64 {
    let own = own(cx, class, body);
    let collectable = class.has(flag::HAVE_GC)
        && (class.size != SizeRule::Type
            || cx.shape.header_by_type
            || body.word(cx.layout.type_.flags) & flag::HEAP != 0);
    let mut before = if collectable { GC_HEADER } else { 0 };
    if cx.shape.preheader_counts && class.flags & (flag::MANAGED_DICT | flag::MANAGED_WEAKREF) != 0 {
        before += 16;
    }
    own.saturating_add(before)
}

fn plain(class: &Class, body: Body) -> u64 {
    let mut bytes = u64::from(class.basicsize);
    if class.itemsize > 0 {
        bytes =
            bytes.saturating_add(body.signed(object::SIZE).unsigned_abs().saturating_mul(u64::from(class.itemsize)));
    }
    bytes
}

/// Bytes of one object without any header.
pub fn of_body(cx: &Context, class: &Class, body: Body) -> u64 {
    own(cx, class, body)
}

/// Bytes of a string in the block where its header is: the characters of a compact one,
/// nothing of what it keeps elsewhere.
pub fn str_in_block(l: &Layout, class: &Class, body: Body) -> u64 {
    let state = State::decode(body.half(l.ascii.state));
    let length = body.word(l.ascii.length).saturating_add(1);
    match (state.compact, state.ascii) {
        (true, true) => u64::from(l.ascii.size).saturating_add(length),
        (true, false) => u64::from(l.compact.size).saturating_add(length.saturating_mul(state.kind)),
        (false, _) => u64::from(class.basicsize),
    }
}

fn own(cx: &Context, class: &Class, body: Body) -> u64 {
    let l = cx.layout;
    let basic = u64::from(class.basicsize);
    match class.size {
        SizeRule::Plain => plain(class, body),
        SizeRule::List => basic.saturating_add(body.word(l.list.allocated).saturating_mul(8)),
        SizeRule::Dict => basic.saturating_add(dict_bytes(cx, body)),
        SizeRule::OrderedDict => basic.saturating_add(dict_bytes(cx, body)).saturating_add(odict_bytes(l, body)),
        SizeRule::Set => basic + set_bytes(l, body),
        SizeRule::Str => str_bytes(l, body),
        SizeRule::Int => int_bytes(cx, body),
        SizeRule::Type => type_bytes(cx, body),
        SizeRule::Code => code_bytes(cx, class, body),
        SizeRule::Frame => frame_bytes(cx, body),
        SizeRule::Generator => generator_bytes(cx, class, body),
        SizeRule::Deque => basic.saturating_add(deque_bytes(l, body)),
        SizeRule::ByteArray => basic.saturating_add(body.word(l.bytearray.alloc)),
        SizeRule::Array => {
            let item = cx.space.body_or_empty(body.word(l.array.descr)).half(4);
            basic.saturating_add(body.word(l.array.allocated).saturating_mul(u64::from(item)))
        }
        SizeRule::Element => basic.saturating_add(element_bytes(cx, body)),
        SizeRule::Buffered => basic.saturating_add(buffer_bytes(l, body)),
        SizeRule::Decimal => basic.saturating_add(decimal_bytes(body)),
    }
}

/// Values of a split dictionary; keys that nobody else uses.
fn dict_bytes(cx: &Context, body: Body) -> u64 {
    let Some(p) = dict::parts(cx.space, cx.layout, body) else { return 0 };
    let values = match p.values {
        Some(_) => p.keys.capacity().saturating_mul(8),
        None => 0,
    };
    let keys = if p.keys.shared { 0 } else { p.keys.bytes };
    values.saturating_add(keys)
}

fn odict_bytes(l: &Layout, body: Body) -> u64 {
    let fast = body.word(l.odict.fast_nodes_size).saturating_mul(8);
    let node = u64::from(l.odict_node.size);
    let used = if body.word(l.odict.first) == 0 { 0 } else { body.word(l.dict.used) };
    fast.saturating_add(used.saturating_mul(node))
}

fn set_bytes(l: &Layout, body: Body) -> u64 {
    let slots = body.word(l.set.mask).saturating_add(1);
    // a small table is inside the object: eight entries (PySet_MINSIZE)
    if slots <= 8 { 0 } else { slots.saturating_mul(u64::from(l.set_entry.size)) }
}

fn str_bytes(l: &Layout, body: Body) -> u64 {
    let state = State::decode(body.half(l.ascii.state));
    let length = body.word(l.ascii.length);
    let wide = wide_bytes(l, body, state, length);
    if state.compact && state.ascii {
        return u64::from(l.ascii.size).saturating_add(length).saturating_add(1).saturating_add(wide);
    }
    let characters = length.saturating_add(1).saturating_mul(state.kind);
    let data = body.word(l.unicode.data);
    let (head, characters, data) = match state.compact {
        true => (l.compact.size, characters, 0),
        false => (l.unicode.size, if data == 0 { 0 } else { characters }, data),
    };
    let utf8 = body.word(l.compact.utf8);
    let own_utf8 = utf8 != 0 && utf8 != data;
    let utf8 = if own_utf8 { body.word(l.compact.utf8_length).saturating_add(1) } else { 0 };
    u64::from(head).saturating_add(characters).saturating_add(utf8).saturating_add(wide)
}

/// The `wchar_t` copy that strings could have up to 3.11.
fn wide_bytes(l: &Layout, body: Body, state: State, length: u64) -> u64 {
    if l.ascii.wstr == ABSENT || body.word(l.ascii.wstr) == 0 {
        return 0;
    }
    if state.compact && !state.ascii && state.kind == WIDE {
        return 0; // shares the characters
    }
    if !state.compact && body.word(l.unicode.data) == body.word(l.ascii.wstr) {
        return 0;
    }
    let wide = if state.compact && state.ascii { length } else { body.word(l.compact.wstr_length) };
    wide.saturating_add(1).saturating_mul(WIDE)
}

fn int_bytes(cx: &Context, body: Body) -> u64 {
    let l = &cx.layout.long;
    let digits = match l.tag {
        ABSENT => body.signed(object::SIZE).unsigned_abs(),
        tag => body.word(tag) >> 3,
    };
    let digits = if cx.shape.int_has_a_digit { digits.max(1) } else { digits };
    u64::from(l.digit).saturating_add(digits.saturating_mul(4))
}

fn type_bytes(cx: &Context, body: Body) -> u64 {
    let l = cx.layout;
    if body.word(l.type_.flags) & flag::HEAP == 0 {
        return u64::from(l.type_.size);
    }
    let keys = dict::Keys::at(cx.space, l, body.word(l.heap_type.cached_keys));
    u64::from(l.heap_type.size).saturating_add(keys.map_or(0, |k| k.bytes))
}

fn code_bytes(cx: &Context, class: &Class, body: Body) -> u64 {
    let c = &cx.layout.code;
    let mut bytes = plain(class, body).next_multiple_of(8);
    let extra = body.word(c.extra);
    if extra != 0 {
        let count = cx.space.body_or_empty(extra).word(cx.layout.code_extra.count).min(256);
        bytes = bytes.saturating_add(u64::from(cx.layout.code_extra.extras)).saturating_add(count * 8);
    }
    if c.cell2arg != ABSENT && body.word(c.cell2arg) != 0 {
        let cells = cx.space.body_or_empty(body.word(c.cellvars)).word(object::SIZE);
        bytes = bytes.saturating_add(cells.min(1 << 16) * 8);
    }
    if c.opcache_map != ABSENT && body.word(c.opcache_map) != 0 {
        let codes = cx.space.body_or_empty(body.word(c.code)).word(object::SIZE) / 2;
        bytes = bytes.saturating_add(codes);
        if body.word(c.opcache) != 0 {
            bytes = bytes.saturating_add(u64::from(body.byte(c.opcache_size)) * 32);
        }
    }
    bytes
}

/// Places and stack of a frame, in bytes, from its code.
fn places(cx: &Context, code: u64) -> u64 {
    let c = &cx.layout.code;
    let code = cx.space.body_or_empty(code);
    let locals = match c.nlocalsplus {
        ABSENT => {
            let len = |at| cx.space.body_or_empty(code.word(at)).word(object::SIZE).min(1 << 20);
            u64::from(code.half(c.nlocals)) + len(c.cellvars) + len(c.freevars)
        }
        at => u64::from(code.half(at)),
    };
    (locals + u64::from(code.half(c.stacksize))).min(1 << 24) * 8
}

fn frame_bytes(cx: &Context, body: Body) -> u64 {
    let f = &cx.layout.frame;
    if f.frame == ABSENT {
        // one place is in the structure already
        return u64::from(f.size.saturating_sub(8)) + places(cx, body.word(f.code));
    }
    let inner = cx.space.body_or_empty(body.word(f.frame));
    u64::from(f.frame_data) + u64::from(cx.layout.iframe.localsplus) + places(cx, inner.word(cx.layout.iframe.code))
}

fn generator_bytes(cx: &Context, class: &Class, body: Body) -> u64 {
    let g = &cx.layout.generator;
    if g.iframe == ABSENT {
        return u64::from(class.basicsize);
    }
    let inner = body.from(u64::from(g.iframe));
    u64::from(g.iframe) + u64::from(cx.layout.iframe.localsplus) + places(cx, inner.word(cx.layout.iframe.code))
}

fn deque_bytes(l: &Layout, body: Body) -> u64 {
    let per_block = u64::from(l.deque_block.rightlink.saturating_sub(l.deque_block.data) / 8).max(1);
    let held = body.word(l.deque.leftindex).saturating_add(body.word(object::SIZE));
    let blocks = held.saturating_add(per_block - 1) / per_block;
    blocks.saturating_mul(u64::from(l.deque_block.size))
}

/// Attributes and children of an element (`Modules/_elementtree.c`).
fn element_bytes(cx: &Context, body: Body) -> u64 {
    let e = &cx.layout.element_extra;
    let at = body.word(cx.layout.element.extra);
    if at == 0 {
        return 0;
    }
    let extra = cx.space.body_or_empty(at);
    let inline = extra.word(e.children) == at.wrapping_add(u64::from(e.inline_children));
    let children = if inline { 0 } else { extra.word(e.allocated).min(1 << 40) * 8 };
    u64::from(e.size).saturating_add(children)
}

fn buffer_bytes(l: &Layout, body: Body) -> u64 {
    if body.word(l.buffered.buffer) == 0 { 0 } else { body.word(l.buffered.buffer_size).min(1 << 40) }
}

/// Digits outside of the object: `mpd_t` follows the hash (offset 24): flags byte,
/// exponent, digits, length, allocated words at +32, data pointer at +40.
fn decimal_bytes(body: Body) -> u64 {
    const MPD: u32 = 24;
    // static, shared or constant data (mpdecimal.h)
    const NOT_OWN: u8 = 0x20 | 0x40 | 0x80;
    let flags = body.byte(MPD);
    if flags & NOT_OWN != 0 { 0 } else { body.word(MPD + 32).min(1 << 40).saturating_mul(8) }
}
