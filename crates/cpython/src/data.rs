//! Data segments of mapped files: static objects lie there, and the file is what
//! defines a static type.

use std::cell::Cell;

use undying_memory::Module;

/// What the name of a library of ours has in it.
const LIBRARY: &str = "_undying";

/// Writable segments of mapped files, by address.
#[derive(Debug, Default)]
pub struct DataRanges {
    ranges: Vec<(u64, u64, u32)>,
    modules: Vec<Module>,
    /// Where ledgers of births may be, and as what the process knows itself.
    ledgers: (Vec<u64>, u32),
    last: Cell<(u64, u64, Option<u32>)>,
}

impl DataRanges {
    /// From the mapped files.
    pub fn new(modules: Vec<Module>) -> DataRanges {
        let parts = modules.iter().enumerate();
        let mut ranges: Vec<_> = parts.flat_map(|(i, m)| m.data.iter().map(move |d| (d.0, d.1, i as u32))).collect();
        ranges.sort_unstable();
        let ours = modules.iter().filter(|m| m.path.rsplit('/').next().is_some_and(|f| f.contains(LIBRARY)));
        let ledgers = (ours.filter_map(|m| m.symbol(undying_lives::format::SYMBOL)).collect(), 0);
        DataRanges { ranges, ledgers, last: Cell::default(), modules }
    }

    /// The process knows itself by this number.
    pub fn of_process(mut self, pid: u32) -> DataRanges {
        self.ledgers.1 = pid;
        self
    }

    /// With a ledger that no library exports.
    #[cfg(test)]
    pub fn with_ledger(mut self, address: u64) -> DataRanges {
        self.ledgers.0.push(address);
        self
    }

    /// Addresses of ledgers of births, which libraries of ours export, and the number by
    /// which the process knows itself.
    pub fn ledgers(&self) -> (&[u64], u32) {
        (&self.ledgers.0, self.ledgers.1)
    }

    /// The answer holds for a whole stretch of addresses, and is kept: objects are asked
    /// for in address order.
    #[inline]
    fn find(&self, address: u64) -> Option<u32> {
        let (start, end, known) = self.last.get();
        if (start..end).contains(&address) {
            return known;
        }
        let i = self.ranges.partition_point(|r| r.1 <= address);
        let before = i.checked_sub(1).map_or(0, |i| self.ranges[i].1);
        let stretch = match self.ranges.get(i) {
            Some(r) if r.0 <= address => (r.0, r.1, Some(r.2)),
            Some(r) => (before, r.0, None),
            None => (before, u64::MAX, None),
        };
        self.last.set(stretch);
        stretch.2
    }

    /// The writable segments of the file whose data holds an address.
    pub fn beside(&self, address: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let file = self.find(address);
        self.ranges.iter().filter(move |r| Some(r.2) == file).map(|r| (r.0, r.1))
    }

    /// Whether an address lies in a mapped file's data.
    pub fn contains(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    /// The file whose data holds an address.
    pub fn file_of(&self, address: u64) -> Option<&str> {
        self.modules.get(self.find(address)? as usize).map(|m| m.path.as_str())
    }

    /// The file that is mapped at an address, code and constants included.
    pub fn file_at(&self, address: u64) -> Option<&str> {
        let m = self.modules.iter().find(|m| (m.start..m.end).contains(&address))?;
        Some(&m.path)
    }

    /// Whether the file whose data holds an address is the interpreter's.
    pub fn is_interpreter(&self, address: u64) -> bool {
        let module = self.find(address).and_then(|i| self.modules.get(i as usize));
        module.is_some_and(|m| m.symbol("PyType_Type").is_some())
    }

    /// The mapped files.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Writable segments of mapped files, by address.
    pub fn parts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|r| (r.0, r.1))
    }

    /// The variable at an address of a file's data: `library!symbol+0x10`, or the place in
    /// the file where no symbol is known.
    pub fn variable(&self, address: u64) -> Option<String> {
        let module = self.modules.get(self.find(address)? as usize)?;
        let file = module.path.rsplit('/').next().unwrap_or(&module.path);
        Some(match module.symbol_at(address) {
            Some((symbol, 0)) => format!("{file}!{symbol}"),
            Some((symbol, offset)) => format!("{file}!{symbol}+{offset:#x}"),
            None => format!("{file}+{:#x}", address.wrapping_sub(module.start)),
        })
    }
}
