//! The ordered map of an address space, as `/proc/PID/maps` tells it (proc(5)).
//! Knows text only: it opens nothing.

/// What may be done with the bytes of a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Perms {
    /// Readable.
    pub r: bool,
    /// Writable.
    pub w: bool,
    /// Executable.
    pub x: bool,
    /// Copy on write; otherwise shared with whoever maps the same.
    pub private: bool,
}

/// One line of the map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// What may be done with it.
    pub perms: Perms,
    /// Where in the file `start` lies, in bytes.
    pub offset: u64,
    /// Major and minor number of the file's device; 0, 0 where there is no file.
    pub device: (u32, u32),
    /// The file's inode, 0 where there is no file.
    pub inode: u64,
    /// The file as the target sees it (may end in ` (deleted)`), or a name in square
    /// brackets, or nothing.  Bytes that are no UTF-8 are replaced.
    pub path: String,
}

impl Mapping {
    /// Bytes of address space.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Never: a mapping has bytes.  (Here because `len` is.)
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// Whether `address` lies inside.
    pub fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether it shows a file (an inode, which names in brackets do not have).
    pub fn is_file(&self) -> bool {
        self.inode != 0 && self.path.starts_with('/')
    }

    /// The path without the mark of a removed file.
    pub fn path_on_disk(&self) -> &str {
        self.path.strip_suffix(" (deleted)").unwrap_or(&self.path)
    }

    fn parse(line: &str) -> Option<Mapping> {
        let mut rest = line;
        let (start, end) = word(&mut rest)?.split_once('-')?;
        let perms = word(&mut rest)?.as_bytes();
        let offset = word(&mut rest)?;
        let (major, minor) = word(&mut rest)?.split_once(':')?;
        let inode = word(&mut rest)?;
        let hex = |s: &str| u64::from_str_radix(s, 16).ok();
        let (start, end) = (hex(start)?, hex(end)?);
        let &[r, w, x, p, ..] = perms else {
            return None;
        };
        (start < end).then_some(Mapping {
            start,
            end,
            perms: Perms { r: r == b'r', w: w == b'w', x: x == b'x', private: p == b'p' },
            offset: hex(offset)?,
            device: (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?),
            inode: inode.parse().ok()?,
            path: rest.trim_start_matches(' ').to_owned(),
        })
    }
}

/// The next word of `rest`, which is left at the blank after it.
fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start_matches(' ');
    let (word, after) = text.split_at(text.find(' ').unwrap_or(text.len()));
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// All mappings of a process, by address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mappings(Vec<Mapping>);

impl Mappings {
    /// From the text of `/proc/PID/maps`.  Lines that are none are left out.
    pub fn parse(text: &str) -> Mappings {
        text.lines().filter_map(Mapping::parse).collect()
    }

    /// The mapping that holds `address`.
    pub fn find(&self, address: u64) -> Option<&Mapping> {
        let i = self.0.partition_point(|m| m.end <= address);
        self.0.get(i).filter(|m| m.contains(address))
    }

    /// By address.
    pub fn iter(&self) -> std::slice::Iter<'_, Mapping> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Mapping> for Mappings {
    /// Sorts; of two that overlap the lower one stays.
    fn from_iter<I: IntoIterator<Item = Mapping>>(all: I) -> Mappings {
        let mut all: Vec<Mapping> = all.into_iter().filter(|m| !m.is_empty()).collect();
        all.sort_by_key(|m| (m.start, m.end));
        let mut end = 0;
        all.retain(|m| {
            let apart = m.start >= end;
            if apart {
                end = m.end;
            }
            apart
        });
        Mappings(all)
    }
}

impl<'a> IntoIterator for &'a Mappings {
    type Item = &'a Mapping;
    type IntoIter = std::slice::Iter<'a, Mapping>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
00400000-00401000 r--p 00000000 fe:01 1234                               /usr/bin/my python (deleted)
7f0000000000-7f0000021000 rw-p 00000000 00:00 0 
7f0000021000-7f0004000000 ---p 00000000 00:00 0 
7ffd1000-7ffd2000 rw-s 00001000 00:05 99 /dev/shm/x  y
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn reads_every_field() {
        let all = Mappings::parse(TEXT);
        assert_eq!(all.len(), 6);
        let exe = all.find(0x400fff).unwrap();
        assert_eq!((exe.start, exe.end, exe.offset), (0x400000, 0x401000, 0));
        assert_eq!((exe.device, exe.inode), ((0xfe, 1), 1234));
        assert_eq!(exe.path, "/usr/bin/my python (deleted)");
        assert_eq!(exe.path_on_disk(), "/usr/bin/my python");
        assert_eq!(exe.perms, Perms { r: true, w: false, x: false, private: true });
        let shared = all.find(0x7ffd1000).unwrap();
        assert_eq!((shared.offset, shared.path.as_str()), (0x1000, "/dev/shm/x  y"));
        assert!(!shared.perms.private && shared.is_file());
        assert_eq!(all.find(0x7f0000020fff).unwrap().path, "");
        assert!(all.find(0x401000).is_none() && all.find(0).is_none() && all.find(u64::MAX).is_none());
        assert!(all.find(0xffffffffff600fff).is_some());
    }

    #[test]
    fn what_is_no_line_is_left_out_and_the_rest_is_sorted() {
        let all = Mappings::parse(
            "garbage\n3000-4000 rw-p 0 0:0 0\n\n1000-1000 rw-p 0 0:0 0\n1000-2000 r 0 0:0 0\n1000-3001 rw-p 0 0:0 0\n",
        );
        let found: Vec<_> = all.iter().map(|m| (m.start, m.end)).collect();
        assert_eq!(found, [(0x1000, 0x3001)]);
    }

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in any::<String>(), at in any::<u64>()) {
            let all = Mappings::parse(&text);
            prop_assert!(all.find(at).is_none_or(|m| m.contains(at)));
        }

        /// Slow twin: the mapping that holds an address is the only one that does.
        #[test]
        fn lines_come_back_sorted_and_apart(
            lines in prop::collection::vec((0u64..64, 0u64..9, "[r-][w-][x-][ps]", "( /[ -~]{0,9})?"), 0..30),
        ) {
            let line = |l: &(u64, u64, String, String)| format!("{:x}-{:x} {} 0 00:00 1 {}\n", l.0, l.0 + l.1, l.2, l.3);
            let all = Mappings::parse(&lines.iter().map(line).collect::<String>());
            prop_assert!(all.iter().zip(all.iter().skip(1)).all(|(a, b)| a.end <= b.start));
            for at in 0..80 {
                let slow = all.iter().find(|m| m.contains(at));
                prop_assert_eq!(all.find(at), slow);
                let any = lines.iter().any(|l| l.0 <= at && at < l.0 + l.1);
                prop_assert!(any || slow.is_none());
            }
        }
    }
}
