//! Which of the few representations is in force: the only file that looks at a
//! version number.  Everything else asks a [`Shape`] or an offset.

use undying_graph::LabelId;

use crate::class::Classes;
use crate::layout::{self, Layout};
use crate::object::Counting;

/// Where instances keep attribute values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attributes {
    /// Only in a dictionary at `tp_dictoffset` (up to 3.10).
    Dictionary,
    /// Two words before the collector's header: dictionary, values (3.11).
    TwoWords,
    /// One word, tagged: values or dictionary (3.12).
    Tagged,
    /// Dictionary word before, values behind the object (3.13).
    Inline,
}

/// Names of a class's references.
#[derive(Clone, Copy, Debug)]
pub struct ClassLabels {
    pub dict: LabelId,
    pub bases: LabelId,
    pub mro: LabelId,
    pub cache: LabelId,
    pub subclasses: LabelId,
    pub name: LabelId,
    pub qualname: LabelId,
    pub slots: LabelId,
    pub module: LabelId,
}

/// Names of a frame's references.
#[derive(Clone, Copy, Debug)]
pub struct FrameLabels {
    pub trace: LabelId,
    pub back: LabelId,
    pub code: LabelId,
    pub builtins: LabelId,
    pub globals: LabelId,
    pub locals: LabelId,
    pub frame: LabelId,
    pub function: LabelId,
}

/// Representation choices, and the names that go with them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Reference counts.
    pub counting: Counting,
    /// Attribute values.
    pub attributes: Attributes,
    /// Bytes of an allocator's pool.
    pub pool_bytes: u64,
    /// An int of no digits is measured as one (3.11 on).
    pub int_has_a_digit: bool,
    /// `sys.getsizeof` adds the two words before the header too (3.11 on).
    pub preheader_counts: bool,
    /// It goes by the type's flag, and so counts a header for static types too (3.11, 3.12).
    pub header_by_type: bool,
    /// `__dict__`.
    pub dict_label: LabelId,
    /// Of classes.
    pub class_labels: ClassLabels,
    /// Of frames.
    pub frame_labels: FrameLabels,
    /// Of a coroutine's origin or an asynchronous generator's finalizer.
    pub origin_label: LabelId,
    /// Of `atexit` callbacks.
    pub callback_label: LabelId,
    /// Of XML elements: tag, text, tail, attrib.
    pub element_labels: [LabelId; 4],
}

/// Versions that can be read: `3.8 to 3.13`.
pub fn supported() -> String {
    let name = |l: &Layout| format!("{}.{}", l.version.0, l.version.1);
    match (layout::TABLES.first(), layout::TABLES.last()) {
        (Some(a), Some(b)) => format!("{} to {}", name(a), name(b)),
        _ => String::from("none"),
    }
}

/// The table for a version; of several for one minor version the one whose patch
/// range holds the patch, else the last.
pub fn table(major: u8, minor: u8) -> Option<&'static Layout> {
    layout::TABLES.iter().rfind(|l| l.version == (major, minor))
}

/// Bytes of an allocator's pool (`POOL_SIZE`, Objects/obmalloc.c).
pub fn pool_bytes(layout: &Layout) -> u64 {
    if layout.version >= (3, 10) { 16 << 10 } else { 4 << 10 }
}

impl Shape {
    /// The choices of a version.
    pub fn of(layout: &Layout, classes: &Classes) -> Shape {
        let version = layout.version;
        let l = |text: &str| classes.intern(text);
        Shape {
            counting: if version >= (3, 12) { Counting::Immortal32 } else { Counting::Plain },
            attributes: match version {
                (3, 11) => Attributes::TwoWords,
                (3, 12) => Attributes::Tagged,
                v if v >= (3, 13) => Attributes::Inline,
                _ => Attributes::Dictionary,
            },
            pool_bytes: pool_bytes(layout),
            int_has_a_digit: version >= (3, 11),
            preheader_counts: version >= (3, 11),
            header_by_type: ((3, 11)..=(3, 12)).contains(&version),
            dict_label: l("__dict__"),
            class_labels: ClassLabels {
                dict: l("__dict__"),
                bases: l("__bases__"),
                mro: l("__mro__"),
                cache: l("tp_cache"),
                subclasses: l("__subclasses__"),
                name: l("__name__"),
                qualname: l("__qualname__"),
                slots: l("__slots__"),
                module: l("module"),
            },
            origin_label: l("cr_origin"),
            callback_label: l("atexit callback"),
            element_labels: [l("tag"), l("text"), l("tail"), l("attrib")],
            frame_labels: FrameLabels {
                trace: l("f_trace"),
                back: l("f_back"),
                code: l("f_code"),
                builtins: l("f_builtins"),
                globals: l("f_globals"),
                locals: l("f_locals"),
                frame: l("frame"),
                function: l("function"),
            },
        }
    }
}
