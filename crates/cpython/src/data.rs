//! Data segments of mapped files: static objects lie there, and the file is what
//! defines a static type.

use undying_memory::Module;

/// Writable segments of mapped files, by address.
#[derive(Debug, Default)]
pub struct DataRanges {
    ranges: Vec<(u64, u64, u32)>,
    files: Vec<String>,
}

impl DataRanges {
    /// From the mapped files.
    pub fn new(modules: &[Module]) -> DataRanges {
        let files = modules.iter().map(|m| m.path.clone()).collect();
        let parts = modules.iter().enumerate();
        let mut ranges: Vec<_> = parts.flat_map(|(i, m)| m.data.iter().map(move |d| (d.0, d.1, i as u32))).collect();
        ranges.sort_unstable();
        DataRanges { ranges, files }
    }

    fn find(&self, address: u64) -> Option<u32> {
        let i = self.ranges.partition_point(|r| r.1 <= address);
        self.ranges.get(i).filter(|r| r.0 <= address).map(|r| r.2)
    }

    /// Whether an address lies in a mapped file's data.
    pub fn contains(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    /// The file whose data holds an address.
    pub fn file_of(&self, address: u64) -> Option<&str> {
        self.files.get(self.find(address)? as usize).map(String::as_str)
    }
}
