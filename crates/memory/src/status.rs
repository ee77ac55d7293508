//! What `/proc/PID/status` and `/proc/PID/stat` tell of a process or a thread
//! (proc(5)).  Parses text; opens files only by the paths it is given.

use std::path::Path;

/// The fields of `status` that matter here.  What a kernel does not tell stays 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Status {
    /// `R S D T t Z X I`.
    pub state: u8,
    /// The process it belongs to.
    pub group: i32,
    /// Its number in its own namespace (pid_namespaces(7)).
    pub inside: i32,
    /// Who traces it, 0 if nobody.
    pub tracer: i32,
    /// Effective user.
    pub uid: u32,
    /// Effective capabilities.
    pub capabilities: u64,
    /// Signals waiting for this thread, bit 0 is signal 1 (as in all that follow).
    pub pending: u64,
    /// Signals waiting for any thread of the process.
    pub shared_pending: u64,
    pub blocked: u64,
    pub ignored: u64,
    pub caught: u64,
    /// 2: a seccomp filter.
    pub seccomp: u32,
}

impl Status {
    /// `directory` is `/proc/PID` or `/proc/PID/task/TID`.
    pub fn read(directory: &Path) -> Option<Status> {
        let text = std::fs::read(directory.join("status")).ok()?;
        Some(Status::parse(&String::from_utf8_lossy(&text)))
    }

    pub fn parse(text: &str) -> Status {
        let mut s = Status::default();
        for (name, value) in text.lines().filter_map(|l| l.split_once(':')) {
            let value = value.trim();
            let hex = || u64::from_str_radix(value, 16).unwrap_or(0);
            match name {
                "State" => s.state = value.bytes().next().unwrap_or(0),
                "Tgid" => s.group = value.parse().unwrap_or(0),
                "NSpid" => s.inside = value.split_whitespace().last().and_then(|v| v.parse().ok()).unwrap_or(0),
                "TracerPid" => s.tracer = value.parse().unwrap_or(0),
                "Uid" => s.uid = value.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0),
                "CapEff" => s.capabilities = hex(),
                "SigPnd" => s.pending = hex(),
                "ShdPnd" => s.shared_pending = hex(),
                "SigBlk" => s.blocked = hex(),
                "SigIgn" => s.ignored = hex(),
                "SigCgt" => s.caught = hex(),
                "Seccomp" => s.seccomp = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        s
    }

    /// Whether it has ended and only waits to be noticed.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Signals among `set` that would run a handler or end or stop the process:
    /// neither blocked nor ignored.  (A traced process is told of ignored ones too.)
    pub fn effective(&self, set: u64) -> u64 {
        set & !self.blocked & !self.ignored & !(IGNORED_BY_DEFAULT & !self.caught)
    }
}

/// SIGCHLD, SIGCONT, SIGURG, SIGWINCH (signal(7)).
const IGNORED_BY_DEFAULT: u64 = 1 << 16 | 1 << 17 | 1 << 22 | 1 << 27;

/// The bit of a signal in the sets above.
pub(crate) fn signal_bit(signal: i32) -> u64 {
    u32::try_from(signal).ok().filter(|s| (1..=64).contains(s)).map_or(0, |s| 1 << (s - 1))
}

/// The fields of `stat` from the third one on; the second, the name, may hold
/// anything, so it is skipped to its last bracket.
fn stat_fields(directory: &Path) -> Option<Vec<String>> {
    let text = std::fs::read(directory.join("stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// State, kernel flags and the time of start in clock ticks since boot (fields 3, 9
/// and 22).
pub(crate) fn stat(directory: &Path) -> Option<(u8, u64, u64)> {
    let fields = stat_fields(directory)?;
    let state = fields.first()?.bytes().next()?;
    Some((state, fields.get(6)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_status() {
        let s = Status::read(Path::new("/proc/self")).unwrap();
        assert_eq!(s.group, std::process::id() as i32);
        assert!(matches!(s.state, b'R' | b'S'));
        let (_, flags, start) = stat(Path::new("/proc/self")).unwrap();
        assert!(start > 0 && flags & 0x0020_0000 == 0);
    }

    #[test]
    fn effective_signals_are_those_somebody_will_feel() {
        let s = Status::parse("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000010000\n");
        assert_eq!(s.effective(signal_bit(1)), 0, "blocked");
        assert_eq!(s.effective(signal_bit(13)), 0, "ignored");
        assert_eq!(s.effective(signal_bit(28)), 0, "ignored by default");
        assert_eq!(s.effective(signal_bit(17)), 1 << 16, "ignored by default, but caught here");
        assert_eq!(s.effective(signal_bit(14)), 1 << 13);
        assert_eq!((signal_bit(0), signal_bit(65), signal_bit(-1)), (0, 0, 0));
    }
}
