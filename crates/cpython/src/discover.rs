//! First pass: which addresses are objects.  From the collector's lists and the roots
//! along every reference that a visitor knows for sure; then, until nothing new
//! turns up, along words of unknown structures that pass a strict test.

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{Cancelled, Certainty, EdgeKind, Progress};

use crate::allocator::Block;
use crate::blocks::Blocks;
use crate::class::Class;
use crate::index::AddressSet;
use crate::object::{self, Count, GC_HEADER, PREV_FLAGS, flag};
use crate::space::Body;
use crate::sweep;
use crate::visit::{self, Context, Name, Naming, Out, dict, opaque};

/// Objects handled together, so that their memory is fetched at the same time.
const BATCH: usize = 16;
/// Objects between two looks at the progress listener.
const TICK: u64 = 1 << 16;
/// An interpreter that has started interns more strings than this.
const FEWEST_INTERNED: u64 = 500;

/// What the first pass found.
pub struct Found {
    /// Objects in the youngest generation.
    pub young: AddressSet,
    /// Objects in the permanent generation.
    pub frozen: FxHashSet<u64>,
    /// Who reports the names of a shared keys object.
    pub key_owners: FxHashMap<u64, KeyOwner>,
    /// Raw blocks of known owners (modules' states): nobody else's scan follows them.
    pub states: FxHashSet<u64>,
    /// Addresses that were referred to and are no objects.
    pub broken: u64,
    /// Links of the collector's lists that did not fit.
    pub wrong_links: u64,
    /// Objects in the collector's lists.
    pub tracked: u64,
    /// Objects that only the sweep over all blocks found, and what they lead to: nothing
    /// that was known before refers to them.
    pub swept: AddressSet,
    /// Blocks in use that hold neither an object nor a known object's table.
    pub raw: Vec<Block>,
}

/// The one who reports the names of a shared keys object.
#[derive(Clone, Copy, Debug)]
pub struct KeyOwner {
    owner: u64,
    strong: bool,
}

/// The pass itself.
pub struct Discovery<'d, 'a> {
    cx: &'d Context<'a>,
    stack: Vec<u64>,
    opaque: Vec<u64>,
    raw: Vec<(u64, u64)>,
    maybe: Vec<u64>,
    claimed: FxHashSet<u64>,
    classes_seen: usize,
    done: u64,
    references_left: u64,
    progress: &'d dyn Progress,
    objects: AddressSet,
    /// Tables of objects' references: whose they are is known.
    storage: AddressSet,
    sweeping: bool,
    found: Found,
}

impl<'d, 'a> Discovery<'d, 'a> {
    /// Nothing found yet.
    pub fn new(cx: &'d Context<'a>, progress: &'d dyn Progress) -> Self {
        let image = cx.space.image;
        Discovery {
            cx,
            stack: Vec::new(),
            opaque: Vec::new(),
            raw: Vec::new(),
            maybe: Vec::new(),
            claimed: FxHashSet::default(),
            classes_seen: 0,
            done: 0,
            references_left: cx.most_references(),
            progress,
            objects: AddressSet::new(image),
            storage: AddressSet::new(image),
            sweeping: false,
            found: Found {
                young: AddressSet::new(image),
                frozen: FxHashSet::default(),
                key_owners: FxHashMap::default(),
                states: FxHashSet::default(),
                broken: 0,
                wrong_links: 0,
                tracked: 0,
                swept: AddressSet::new(image),
                raw: Vec::new(),
            },
        }
    }

    /// Start from the object at an address.
    pub fn seed(&mut self, address: u64) -> Result<(), Cancelled> {
        self.reach(address);
        if self.stack.len() >= 4096 { self.drain() } else { Ok(()) }
    }

    /// Start from an address that may be none.
    pub fn seed_if_object(&mut self, address: u64) {
        self.maybe.push(address);
    }

    /// Start from every object of a collector's list.
    pub fn seed_list(&mut self, head: u64, young: bool, frozen: bool) -> Result<(), Cancelled> {
        let cx = self.cx;
        let mut cancelled = Ok(());
        let wrong = crate::collector::walk(cx.space, cx.layout, head, |address| {
            self.found.tracked += 1;
            if young {
                self.found.young.insert(cx.space.image, address);
            }
            if frozen {
                self.found.frozen.insert(address);
            }
            if cancelled.is_ok() {
                cancelled = self.seed(address);
            }
        });
        self.found.wrong_links += wrong;
        cancelled
    }

    /// Follow everything to the end; then look at every block of memory for what that did
    /// not lead to.
    pub fn finish(mut self, blocks: &Blocks) -> Result<(AddressSet, Found), Cancelled> {
        self.settle()?;
        self.sweep(blocks)?;
        self.cx.interned.set(self.interned_table());
        Ok((self.objects, self.found))
    }

    fn sweep(&mut self, blocks: &Blocks) -> Result<(), Cancelled> {
        let cx = self.cx;
        self.sweeping = true;
        let mut raw = Vec::new();
        blocks.each(&mut |block| {
            if self.is_told(block) {
                return Ok(());
            }
            match sweep::candidates(cx, block).find(|&a| self.looks_like_object(a) && self.fits(a, block)) {
                Some(address) => self.seed(address),
                None => {
                    raw.push(sweep::dead(cx, block).unwrap_or(block));
                    Ok(())
                }
            }
        })?;
        self.settle()?;
        raw.retain(|&block| !self.is_told(block));
        self.found.raw = raw;
        Ok(())
    }

    /// Whether it is known what is in a block.
    fn is_told(&self, block: Block) -> bool {
        let cx = self.cx;
        sweep::known(cx, &self.objects, &self.storage, block)
            || self.claimed.contains(&block.start)
            || self.found.states.contains(&block.start)
    }

    fn fits(&self, address: u64, block: Block) -> bool {
        let cx = self.cx;
        let body = cx.space.body_or_empty(address);
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        class.is_some_and(|c| sweep::fits(cx, c, body, block))
    }

    /// The table of interned strings, where no offset tells it (up to 3.11): no reference
    /// of an object leads to it, it is large, and each key is its own value.
    fn interned_table(&self) -> u64 {
        let cx = self.cx;
        if cx.interned.get() != 0 {
            return cx.interned.get();
        }
        let tables = self.found.swept.iter(cx.space.image).filter_map(|a| {
            let entries = dict::interned_entries(cx, a)?;
            (entries >= FEWEST_INTERNED).then_some((entries, a))
        });
        tables.max().map_or(0, |t| t.1)
    }

    /// Follow what was found to its end.
    fn settle(&mut self) -> Result<(), Cancelled> {
        self.drain()?;
        loop {
            let objects = std::mem::take(&mut self.opaque);
            let raw = std::mem::take(&mut self.raw);
            let maybe = std::mem::take(&mut self.maybe);
            if objects.is_empty() && raw.is_empty() && maybe.is_empty() {
                break;
            }
            let cx = self.cx;
            for address in maybe {
                if opaque::Finder::is_object(self, address) {
                    self.reach(address);
                }
            }
            for address in objects {
                let Some(body) = cx.space.body(address) else { continue };
                let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
                if let Some(class) = class {
                    opaque::scan(cx, class, address, body, self);
                }
            }
            for (start, length) in raw {
                opaque::state(cx, start, length, self);
            }
            self.drain()?;
        }
        Ok(())
    }

    #[inline]
    fn reach(&mut self, address: u64) {
        if self.objects.insert(self.cx.space.image, address) {
            if self.sweeping {
                self.found.swept.insert(self.cx.space.image, address);
            }
            self.stack.push(address);
        }
    }

    fn drain(&mut self) -> Result<(), Cancelled> {
        let image = self.cx.space.image;
        loop {
            while !self.stack.is_empty() {
                let n = self.stack.len().min(BATCH);
                let mut batch = [(0u64, 0u64); BATCH];
                for b in &mut batch[..n] {
                    b.0 = self.stack.pop().unwrap_or(0);
                }
                // independent loads first: the memory for all of them is under way at once
                for b in &mut batch[..n] {
                    b.1 = image.word_at(b.0.wrapping_add(u64::from(object::TYPE))).unwrap_or(0);
                }
                for (address, class) in &batch[..n] {
                    self.object(*address, *class);
                }
                self.done += n as u64;
                if self.done % TICK < BATCH as u64 {
                    self.progress.done(self.done);
                    self.progress.check()?;
                }
            }
            if !self.reach_new_classes() {
                return Ok(());
            }
        }
    }

    /// Classes come to be known through their instances, and are objects themselves.
    fn reach_new_classes(&mut self) -> bool {
        let from = self.classes_seen;
        while self.classes_seen < self.cx.classes.len() {
            if let Some(class) = self.cx.classes.get(self.classes_seen as u32) {
                self.reach(class.address);
            }
            self.classes_seen += 1;
        }
        self.classes_seen > from
    }

    #[inline]
    fn object(&mut self, address: u64, class: u64) {
        let cx = self.cx;
        let body = cx.space.body_or_empty(address);
        let class = cx.classes.at(cx.space, cx.layout, class).and_then(|n| cx.classes.get(n));
        match class {
            Some(class) if cx.shape.counting.decode(body.word(0)) != Count::Nonsense => {
                if !class.leaf {
                    visit::visit(cx, class, address, body, self);
                }
            }
            _ => {
                self.objects.remove(cx.space.image, address);
                self.found.broken += 1;
            }
        }
    }

    /// The strict test: header, class, collector's links, and the block it lies in.
    fn looks_like_object(&self, address: u64) -> bool {
        let cx = self.cx;
        let Some(body) = cx.space.body(address) else { return false };
        let class_at = body.word(object::TYPE);
        let count = body.word(0);
        if cx.shape.counting.decode(count) == Count::Nonsense {
            return false;
        }
        let Some(class) = cx.classes.at(cx.space, cx.layout, class_at).and_then(|n| cx.classes.get(n)) else {
            return false;
        };
        // a free list links through the first word (3.13): a dead one points to another; an
        // array of pointers to objects may have a class in its second place
        if cx.space.body(count).is_some_and(|b| sweep::may_be_class(cx, b.word(object::TYPE))) {
            return false;
        }
        if cx.statics.contains(address) {
            return true;
        }
        let collectable = class.has(flag::HAVE_GC);
        if collectable && !self.links_fit(address) {
            return false;
        }
        let before = match (collectable, class.flags & (flag::MANAGED_DICT | flag::MANAGED_WEAKREF)) {
            (false, _) => 0,
            (true, 0) => GC_HEADER,
            (true, _) => GC_HEADER + 16,
        };
        let block = self.cx.allocator.block_in_use(address.wrapping_sub(before));
        block.is_some_and(|b| b.start + before == address && b.length >= before + 16)
    }

    fn links_fit(&self, address: u64) -> bool {
        let (space, g) = (self.cx.space, &self.cx.layout.gc_head);
        let head = address.wrapping_sub(GC_HEADER);
        let Some(body) = space.body(head) else { return false };
        match body.word(g.next) {
            0 => true,
            next => space.body(next).is_some_and(|n| n.word(g.prev) & !PREV_FLAGS == head),
        }
    }
}

impl Out for Discovery<'_, '_> {
    #[inline]
    fn edge(&mut self, target: u64, kind: EdgeKind, certainty: Certainty, _name: Name) {
        if target == 0 || kind == EdgeKind::Weak || self.references_left == 0 {
            return;
        }
        self.references_left -= 1;
        match certainty {
            Certainty::Conservative => self.maybe.push(target),
            _ => self.reach(target),
        }
    }

    fn owns_keys(&mut self, keys: u64, owner: u64, strong: bool) -> bool {
        let mine = KeyOwner { owner, strong };
        let known = self.found.key_owners.entry(keys).or_insert(mine);
        if strong && !known.strong {
            *known = mine;
        }
        known.owner == owner
    }

    fn opaque(&mut self, _class: &Class, address: u64, _body: Body) {
        self.opaque.push(address);
    }

    fn raw(&mut self, address: u64, length: u64) {
        self.found.states.insert(address);
        self.raw.push((address, length));
    }

    #[inline]
    fn storage(&mut self, address: u64) {
        self.storage.insert(self.cx.space.image, address);
    }

    fn named(&mut self, _address: u64, _name: Naming) {}
}

impl opaque::Finder for Discovery<'_, '_> {
    fn is_object(&mut self, address: u64) -> bool {
        self.objects.contains(self.cx.space.image, address) || self.looks_like_object(address)
    }

    fn found(&mut self, target: u64, _kind: EdgeKind, _offset: u64) {
        self.reach(target);
    }

    fn claim(&mut self, start: u64) -> bool {
        !self.found.states.contains(&start) && self.claimed.insert(start)
    }
}

impl Found {
    /// Whether `owner` reports the names of these keys.
    #[inline]
    pub fn owns_keys(&self, keys: u64, owner: u64) -> bool {
        self.key_owners.get(&keys).is_none_or(|k| k.owner == owner)
    }
}
