//! What an object holds.  A visitor says which references there are, under which
//! name and how that is known; it decides nothing about order, numbers or files.
//! Borrowed pointers (a weak reference's object, `tp_weaklist`, a frame's globals)
//! are not references and are not reported as strong.

pub mod callable;
pub mod dict;
pub mod frame;
pub mod instance;
pub mod mapping;
pub mod opaque;
pub mod sequence;
pub mod types;

use std::cell::Cell;

use undying_graph::{Certainty, EdgeKind, LabelId};

use crate::allocator::Allocator;
use crate::builtin::Visitor;
use crate::class::{Class, Classes};
use crate::data::DataRanges;
use crate::layout::Layout;
use crate::object::{self, flag};
use crate::select::Shape;
use crate::space::{Body, Space};

/// The name or position of a reference, not yet in the sink's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// None.
    None,
    /// A position.
    Index(u64),
    /// In [`Classes::labels`].
    Known(LabelId),
    /// A `str` object, of which the text is used if it is an identifier; else the position.
    Key(u64, u64),
    /// A `str` object that is a name for sure (a local's, a cell's).
    Identifier(u64),
}

/// Takes the references of one object.
pub trait Out {
    /// A reference; a null target is none.
    fn edge(&mut self, target: u64, kind: EdgeKind, certainty: Certainty, name: Name);

    /// A reference known from a builtin layout.
    #[inline]
    fn exact(&mut self, target: u64, kind: EdgeKind, name: Name) {
        self.edge(target, kind, Certainty::Exact, name);
    }

    /// The attribute names of a shared keys object are held once, whoever shares it:
    /// whether `owner` is the one to report them.  `strong` claims it for good.
    fn owns_keys(&mut self, keys: u64, owner: u64, strong: bool) -> bool;

    /// The object has words that nothing explains; they are scanned when all that is
    /// exact is known.
    fn opaque(&mut self, class: &Class, address: u64, body: Body);

    /// A raw block of known size that the object owns, scanned likewise.
    fn raw(&mut self, address: u64, length: u64);

    /// A block of memory that the object owns and whose references it reports: words in
    /// it are nobody else's.
    #[inline]
    fn storage(&mut self, _address: u64) {}

    /// An object's own name: of a function, class, module, code, cell.
    fn named(&mut self, address: u64, name: Naming);
}

/// Where an object's own name is to be read.
#[derive(Clone, Copy, Debug)]
pub enum Naming {
    /// A code object (its name, file and first line), and a `str` with the qualified
    /// name or 0.
    Code(u64, u64),
    /// A frame's code object, and the line it is at.
    Frame(u64, u32),
    /// A `str` object.
    Text(u64),
    /// The class's own dotted name.
    Class,
}

/// All that visitors need to know of the target.
pub struct Context<'a> {
    /// Memory.
    pub space: &'a Space<'a>,
    /// Offsets.
    pub layout: &'a Layout,
    /// Representation choices.
    pub shape: Shape,
    /// Classes.
    pub classes: &'a Classes,
    /// Data segments of mapped files.
    pub statics: &'a DataRanges,
    /// The `atexit` module, whose state holds the callbacks (up to 3.9); else 0.
    pub exit_module: u64,
    /// Blocks of memory.
    pub allocator: &'a Allocator<'a>,
    /// The dictionary whose references are not counted (the table of interned strings),
    /// once it is known; else 0.
    pub interned: Cell<u64>,
}

/// Counts up to this are believed as they stand: a torn one costs little.
const SMALL_COUNT: u64 = 1 << 14;

impl Context<'_> {
    /// Whether this dictionary holds strings without counting them.
    #[inline]
    pub fn is_interned_table(&self, address: u64) -> bool {
        self.interned.get() == address
    }

    /// More references than this cannot be: each is a word of the copied memory, and
    /// few are told twice.  Torn counts may promise more; what comes after is dropped.
    pub fn most_references(&self) -> u64 {
        self.space.image.len() / 8 * 2 + 1024
    }

    /// A count of items of `width` bytes that begin `skip` bytes into the block at
    /// `start`: no more than the block has room for, where the block is known.
    #[inline]
    pub fn believe(&self, start: u64, skip: u64, count: u64, width: u64) -> u64 {
        if count <= SMALL_COUNT {
            return count;
        }
        match self.allocator.block_in_use(start) {
            Some(b) => count.min(b.length.saturating_sub(skip.saturating_add(start - b.start)) / width.max(1)),
            None => count,
        }
    }
}

/// Report all references of the object at `address`.
pub fn visit<O: Out>(cx: &Context, class: &Class, address: u64, body: Body, out: &mut O) {
    if class.has(flag::HEAP) {
        out.exact(class.address, EdgeKind::Type, Name::None);
    }
    match class.visitor {
        Visitor::Fields => {}
        Visitor::List => sequence::list(cx, body, out),
        Visitor::Tuple => sequence::tuple(cx, class, address, body, out),
        Visitor::Dict => {
            dict::visit(cx, address, body, out);
        }
        Visitor::OrderedDict => mapping::ordered_dict(cx, address, body, out),
        Visitor::Set => mapping::set(cx, body, out),
        Visitor::Deque => sequence::deque(cx, body, out),
        Visitor::Function => callable::function(cx, address, body, out),
        Visitor::Code => callable::code(cx, address, body, out),
        Visitor::Module => instance::module(cx, address, body, out),
        Visitor::Type => types::class(cx, address, body, out),
        Visitor::Cell => out.exact(body.word(cx.layout.cell.content), EdgeKind::Cell, Name::None),
        Visitor::Frame => frame::object(cx, address, body, out),
        Visitor::Generator | Visitor::Coroutine => frame::generator(cx, class, address, body, out),
        Visitor::Weakref => out.exact(body.word(cx.layout.weakref.object), EdgeKind::Weak, Name::None),
        Visitor::LruCache => mapping::lru_cache(cx, address, body, out),
        Visitor::DateTime => instance::zoned(body, cx.layout.datetime.hastzinfo, cx.layout.datetime.tzinfo, out),
        Visitor::Time => instance::zoned(body, cx.layout.time.hastzinfo, cx.layout.time.tzinfo, out),
        Visitor::TeeData => sequence::tee_data(cx, body, out),
        Visitor::Element => instance::element(cx, body, out),
        Visitor::HamtBitmap => sequence::items(body, cx.layout.hamt_bitmap.array, body.word(object::SIZE), out),
        Visitor::HamtArray => sequence::items(body, cx.layout.hamt_array.array, 32, out),
        Visitor::HamtCollision => sequence::items(body, cx.layout.hamt_collision.array, body.word(object::SIZE), out),
    }
    for f in &class.fields {
        out.edge(body.word(f.offset), f.kind, f.certainty, Name::Known(f.label));
    }
    instance::attributes(cx, class, address, body, out);
    if class.is_opaque() {
        out.opaque(class, address, body);
    }
}
