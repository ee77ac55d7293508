//! Second pass: every object in address order, with what it holds, to the sink.

use std::io;

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{
    Cancelled, Certainty, Detail, Edge, EdgeKind, Flags, LabelId, NamedRow, NodeId, ObjectRow, Progress, Sink, TypeId,
};

use crate::builtin::Visitor;
use crate::class::Class;
use crate::code;
use crate::discover::Found;
use crate::index::Index;
use crate::layout::ABSENT;
use crate::object::{self, Count, PREV_FINALIZED, flag, gc_header};
use crate::space::Body;
use crate::visit::{self, Context, Name, Naming, Out, opaque};
use crate::{size, text};

/// Why the walk ended early.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The sink could not take more (a full disk).
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Told to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

const TICK: usize = 1 << 16;
const CACHE: usize = 1 << 12;
const UNKNOWN: LabelId = LabelId(u32::MAX);

/// What the pass leaves behind.
#[derive(Debug, Default)]
pub struct Emitted {
    /// Own names of objects.
    pub named: Vec<NamedRow>,
    /// Objects in mapped files' data.
    pub statics: Vec<NodeId>,
    /// References dropped because there cannot be so many.
    pub impossible: u64,
    /// References whose target is no object.
    pub dangling: u64,
    /// Type rows' own objects are looked up by address afterwards.
    pub instances: Vec<u32>,
    /// Objects that stand for something native: number and address.
    pub wrapped: Vec<(u32, u64)>,
    /// Code objects without bytecode, which Cython makes for functions that it compiled.
    pub compiled: Vec<u64>,
    /// How many strong references are known of each object, guesses left out.
    pub counted: Vec<u32>,
}

/// The pass itself.
pub struct Emit<'e, 'a, S: Sink + ?Sized> {
    cx: &'e Context<'a>,
    found: &'e Found,
    index: &'e Index,
    sink: &'e mut S,
    edges: Vec<Edge>,
    labels: Labels,
    claimed: FxHashSet<u64>,
    untraversed: Vec<Edge>,
    traversable: bool,
    unreached: bool,
    references_left: u64,
    out: Emitted,
}

/// From names in the target to the sink's numbers.
struct Labels {
    known: Vec<LabelId>,
    keys: FxHashMap<u64, LabelId>,
    recent: Vec<(u64, LabelId)>,
    codes: FxHashMap<u64, (LabelId, LabelId, u32)>,
}

impl<'e, 'a, S: Sink + ?Sized> Emit<'e, 'a, S> {
    /// Ready to go.
    pub fn new(cx: &'e Context<'a>, found: &'e Found, index: &'e Index, sink: &'e mut S) -> Self {
        let labels = Labels {
            known: Vec::new(),
            keys: FxHashMap::default(),
            recent: vec![(0, LabelId::NONE); CACHE],
            codes: FxHashMap::default(),
        };
        let (claimed, references_left) = (FxHashSet::default(), cx.most_references());
        let (edges, untraversed, out) = (Vec::new(), Vec::new(), Emitted::default());
        Emit {
            cx,
            found,
            index,
            sink,
            edges,
            labels,
            claimed,
            untraversed,
            traversable: true,
            unreached: false,
            references_left,
            out,
        }
    }

    /// All objects.
    pub fn run(mut self, progress: &dyn Progress) -> Result<Emitted, EmitError> {
        let cx = self.cx;
        self.sink.begin(self.index.len())?;
        self.out.counted = vec![0; self.index.len()];
        progress.phase("reading objects", self.index.len() as u64);
        let mut swept = self.found.swept.iter(cx.space.image).peekable();
        for (n, address) in self.index.iter(cx.space.image).enumerate() {
            while swept.next_if(|&s| s < address).is_some() {}
            self.unreached = swept.peek() == Some(&address);
            if n % TICK == 0 {
                progress.done(n as u64);
                progress.check()?;
            }
            self.object(n as u32, address)?;
        }
        self.out.named.sort_by_key(|r| r.node);
        self.out.named.dedup_by_key(|r| r.node);
        Ok(self.out)
    }

    fn object(&mut self, n: u32, address: u64) -> Result<(), EmitError> {
        let cx = self.cx;
        let body = cx.space.body_or_empty(address);
        let number = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).unwrap_or(0);
        let Some(class) = cx.classes.get(number) else {
            // the first pass let it through: it keeps its number all the same
            let row =
                ObjectRow { address, type_id: TypeId(0), shallow_bytes: 0, refcount: None, flags: Flags::default() };
            return Ok(self.sink.object(&row, &[])?);
        };
        self.edges.clear();
        self.untraversed.clear();
        self.traversable = class.has(flag::HAVE_GC);
        if !class.leaf {
            visit::visit(cx, class, address, body, self);
        }
        if let Some(count) = self.out.instances.get_mut(number as usize) {
            *count += 1;
        } else {
            self.out.instances.resize(number as usize + 1, 0);
            self.out.instances[number as usize] = 1;
        }
        self.out.wrapped.extend(class.wrapper.map(|_| (n, address)));
        if class.visitor == Visitor::Code && code::is_compiled(cx, body) {
            self.out.compiled.push(address);
        }
        let flags = self.flags(class, address, body);
        if flags.has(Flags::STATIC) {
            self.out.statics.push(NodeId(n));
        }
        let row = ObjectRow {
            address,
            type_id: TypeId(number),
            shallow_bytes: size::shallow(cx, class, body),
            refcount: match cx.shape.counting.decode(body.word(0)) {
                Count::Mortal(n) => Some(n),
                _ => None,
            },
            flags: flags.with(Flags::IMMORTAL, cx.shape.counting.decode(body.word(0)) == Count::Immortal),
        };
        Ok(self.sink.object_with_untraversed(&row, &self.edges, &self.untraversed)?)
    }

    fn flags(&self, class: &Class, address: u64, body: Body) -> Flags {
        let cx = self.cx;
        let is_class = class.has(flag::TYPE_SUBCLASS);
        let mut flags = Flags::default().with(Flags::CLASS, is_class).with(Flags::STATIC, cx.statics.contains(address));
        let collectable = class.has(flag::HAVE_GC) && (!is_class || body.word(cx.layout.type_.flags) & flag::HEAP != 0);
        flags = flags.with(Flags::UNREACHED, self.unreached);
        if !collectable || flags.has(Flags::STATIC) {
            return flags;
        }
        let Some(head) = gc_header(cx.space, address) else { return flags };
        let tracked = head.word(cx.layout.gc_head.next) != 0;
        let finalized = head.word(cx.layout.gc_head.prev) & PREV_FINALIZED != 0;
        flags = flags.with(Flags::GC_TRACKED, tracked).with(Flags::FINALIZED, finalized);
        if tracked {
            flags = flags
                .with(Flags::YOUNG, self.found.young.contains(cx.space.image, address))
                .with(Flags::FROZEN, !self.found.frozen.is_empty() && self.found.frozen.contains(&address));
        }
        flags
    }

    fn known_label(&mut self, id: LabelId) -> LabelId {
        let i = id.0 as usize;
        if i >= self.labels.known.len() {
            self.labels.known.resize(i + 64, UNKNOWN);
        }
        if self.labels.known[i] == UNKNOWN {
            let text = self.cx.classes.text(id);
            self.labels.known[i] = self.sink.label(&text);
        }
        self.labels.known[i]
    }

    /// The label of a key: its text if it is an interned identifier.
    #[inline]
    fn key_label(&mut self, address: u64) -> LabelId {
        let slot = (address >> 4) as usize % CACHE;
        let recent = self.labels.recent[slot];
        if recent.0 == address {
            return recent.1;
        }
        let label = self.key_label_slow(address);
        self.labels.recent[slot] = (address, label);
        label
    }

    fn key_label_slow(&mut self, address: u64) -> LabelId {
        let cx = self.cx;
        let Some(body) = cx.space.body(address) else { return LabelId::NONE };
        if !text::State::decode(body.half(cx.layout.ascii.state)).interned || !self.is_str(body) {
            return LabelId::NONE;
        }
        if let Some(&label) = self.labels.keys.get(&address) {
            return label;
        }
        let label = text::identifier(cx.space, cx.layout, address).map_or(LabelId::NONE, |t| self.sink.label(&t));
        self.labels.keys.insert(address, label);
        label
    }

    fn is_str(&self, body: Body) -> bool {
        let cx = self.cx;
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        class.is_some_and(|c| c.flags >> 28 & 1 == 1)
    }

    /// Whether an object is of a type that the collector can traverse.
    fn is_collectable(&self, address: u64) -> bool {
        let cx = self.cx;
        let class = cx.space.body(address).map_or(0, |b| b.word(object::TYPE));
        let class = cx.classes.at(cx.space, cx.layout, class).and_then(|n| cx.classes.get(n));
        class.is_some_and(|c| c.has(flag::HAVE_GC))
    }

    /// The label of a `str` object that is a name for sure.
    fn text_label(&mut self, address: u64) -> LabelId {
        if let Some(&label) = self.labels.keys.get(&address) {
            return label;
        }
        let cx = self.cx;
        let is_str = cx.space.body(address).is_some_and(|b| self.is_str(b));
        let text = if is_str { text::text(cx.space, cx.layout, address) } else { None };
        let label = text.map_or(LabelId::NONE, |t| self.sink.label(&t));
        self.labels.keys.insert(address, label);
        label
    }

    /// Name, file and first line of a code object.
    fn code(&mut self, address: u64) -> (LabelId, LabelId, u32) {
        if let Some(&known) = self.labels.codes.get(&address) {
            return known;
        }
        let c = &self.cx.layout.code;
        let body = self.cx.space.body_or_empty(address);
        let name = if c.qualname == ABSENT { body.word(c.name) } else { body.word(c.qualname) };
        let known = (self.text_label(name), self.text_label(body.word(c.filename)), body.half(c.firstlineno));
        self.labels.codes.insert(address, known);
        known
    }
}

impl<S: Sink + ?Sized> Out for Emit<'_, '_, S> {
    #[inline]
    fn edge(&mut self, target: u64, kind: EdgeKind, certainty: Certainty, name: Name) {
        if target == 0 {
            return;
        }
        let Some(id) = self.index.id(self.cx.space.image, target) else {
            self.out.dangling += u64::from(certainty == Certainty::Exact && kind != EdgeKind::Weak);
            return;
        };
        if self.references_left == 0 {
            self.out.impossible += 1;
            return;
        }
        self.references_left -= 1;
        if kind != EdgeKind::Weak
            && certainty < Certainty::Conservative
            && let Some(count) = self.out.counted.get_mut(id as usize)
        {
            *count = count.saturating_add(1);
        }
        let index = |i: u64| Detail::Index(u32::try_from(i).unwrap_or(u32::MAX));
        let label = |l: LabelId| if l == LabelId::NONE { Detail::None } else { Detail::Label(l) };
        let detail = match name {
            Name::None => Detail::None,
            Name::Index(i) => index(i),
            Name::Known(l) => label(self.known_label(l)),
            Name::Identifier(s) => label(self.text_label(s)),
            Name::Key(s, i) => match self.key_label(s) {
                LabelId::NONE => index(i),
                l => Detail::Label(l),
            },
        };
        let edge = Edge { target: NodeId(id), kind, certainty, detail };
        let seen = self.traversable || matches!(kind, EdgeKind::Type | EdgeKind::Weak) || !self.is_collectable(target);
        if seen { self.edges.push(edge) } else { self.untraversed.push(edge) }
    }

    fn owns_keys(&mut self, keys: u64, owner: u64, _strong: bool) -> bool {
        self.found.owns_keys(keys, owner)
    }

    fn opaque(&mut self, class: &Class, address: u64, body: Body) {
        opaque::scan(self.cx, class, address, body, self);
    }

    fn raw(&mut self, address: u64, length: u64) {
        opaque::state(self.cx, address, length, self);
    }

    fn named(&mut self, address: u64, name: Naming) {
        let Some(node) = self.index.id(self.cx.space.image, address).map(NodeId) else { return };
        let (name, file, line) = match name {
            Naming::Code(code, qualname) => {
                let (name, file, line) = self.code(code);
                let full = if qualname == 0 { LabelId::NONE } else { self.text_label(qualname) };
                (if full == LabelId::NONE { name } else { full }, file, line)
            }
            Naming::Frame(code, line) => {
                let (name, file, _) = self.code(code);
                (name, file, line)
            }
            Naming::Text(text) => (self.text_label(text), LabelId::NONE, 0),
            Naming::Class => {
                let cx = self.cx;
                let class = cx.classes.at(cx.space, cx.layout, address).and_then(|n| cx.classes.get(n));
                (class.map_or(LabelId::NONE, |c| self.known_label(c.name)), LabelId::NONE, 0)
            }
        };
        if name != LabelId::NONE {
            self.out.named.push(NamedRow { node, name, file, line });
        }
    }
}

impl<S: Sink + ?Sized> opaque::Finder for Emit<'_, '_, S> {
    fn is_object(&mut self, address: u64) -> bool {
        self.index.id(self.cx.space.image, address).is_some()
    }

    fn found(&mut self, target: u64, kind: EdgeKind, offset: u64) {
        self.edge(target, kind, opaque::CERTAINTY, Name::Index(offset));
    }

    fn claim(&mut self, start: u64) -> bool {
        !self.found.states.contains(&start) && self.claimed.insert(start)
    }
}
