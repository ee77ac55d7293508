//! A live process: what `/proc` tells of it, and its bytes by `process_vm_readv`,
//! whether it runs or stands still.  Stops nothing.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::attach::{AttachError, refusal};
use crate::status::{Status, stat};
use crate::{Fault, Mapping, Mappings, Memory};

/// A live process that may be read.
#[derive(Clone, Debug)]
pub struct Process {
    pid: i32,
    /// The thread its memory is reached by: the main one, unless that has ended.
    door: i32,
    start_time: u64,
    /// What it knows itself by.
    inside: i32,
}

/// Kernel thread (include/linux/sched.h, `PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x0020_0000;

impl Process {
    /// The process with this number (or the one that has a thread of this number), if
    /// it exists, is a program, is ours to read and is not traced.
    pub fn open(pid: i32) -> Result<Process, AttachError> {
        let gone = AttachError::Gone { pid };
        if pid <= 0 {
            return Err(gone);
        }
        let status = Status::read(&proc(pid)).ok_or(gone.clone())?;
        let group = if status.group > 0 { status.group } else { pid };
        let (_, flags, start_time) = stat(&proc(group)).ok_or(gone.clone())?;
        if flags & KERNEL_THREAD != 0 {
            return Err(AttachError::KernelThread { pid });
        }
        let door = living_thread(group).ok_or(if status.is_dead() { AttachError::Zombie { pid } } else { gone })?;
        let inside = Status::read(&proc(group)).map(|s| s.inside).filter(|&i| i > 0).unwrap_or(group);
        let process = Process { pid: group, door, start_time, inside };
        process.check_tracer()?;
        process.check_readable(&status)?;
        Ok(process)
    }

    /// The process of the calling thread: nothing can refuse it, and who traces it does
    /// not matter.
    pub(crate) fn by_thread(pid: i32, tid: i32) -> Result<Process, AttachError> {
        let (_, _, start_time) = stat(&proc(pid)).ok_or(AttachError::Gone { pid })?;
        Ok(Process { pid, door: tid, start_time, inside: pid })
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The number by which it knows itself: another one where it is in a container.
    pub fn pid_inside(&self) -> u32 {
        self.inside.unsigned_abs()
    }

    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`): a
    /// number that was given to another process since is told by it.
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Whether it is still there: the same process, and not a zombie.
    pub fn is_alive(&self) -> bool {
        stat(&proc(self.pid)).is_some_and(|(_, _, start)| start == self.start_time)
            && stat(&proc(self.door)).is_some_and(|(state, _, _)| !matches!(state, b'Z' | b'X' | b'x'))
    }

    /// Where its memory is mapped, now.
    pub fn mappings(&self) -> io::Result<Mappings> {
        let text = std::fs::read(self.path("maps"))?;
        Ok(Mappings::parse(&String::from_utf8_lossy(&text)))
    }

    /// The file it runs, as it sees it (may end in ` (deleted)`).
    pub fn exe(&self) -> Option<PathBuf> {
        std::fs::read_link(self.path("exe")).ok()
    }

    /// What to call it: the program, and for an interpreter the script or module it was
    /// told to run.  No arguments: they may hold secrets.
    pub fn program(&self) -> String {
        let line = std::fs::read(self.path("cmdline")).unwrap_or_default();
        let name = || std::fs::read_to_string(self.path("comm")).unwrap_or_default().trim_end().to_owned();
        short_command(&line).unwrap_or_else(name)
    }

    /// Bytes of it that are in memory.
    pub fn resident_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(self.path("statm")).unwrap_or_default();
        let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        pages.saturating_mul(4096)
    }

    /// The numbers of its threads, the main one first where it lives; empty when it is
    /// gone.
    pub fn threads(&self) -> Vec<i32> {
        let mut all = threads_of(self.pid);
        all.sort_by_key(|&t| (t != self.pid, t));
        all
    }

    /// A file it has mapped, also one that was removed since or that only it can see
    /// (in a container).  Regular files only.  What is opened is the very file, except
    /// where the kernel lets only root follow `/proc/PID/map_files`: then it is what
    /// lies at the path now, if that has the same inode.
    pub fn open_mapped_file(&self, m: &Mapping) -> io::Result<File> {
        let exact = self.path(&format!("map_files/{:x}-{:x}", m.start, m.end));
        if let Ok(file) = open_regular(&exact) {
            return Ok(file);
        }
        let under_root = || {
            let mut p = self.path("root").into_os_string();
            p.push(m.path_on_disk());
            open_regular(Path::new(&p))
        };
        let same = |f: File| {
            let held = f.metadata().is_ok_and(|d| d.ino() == m.inode || m.inode == 0);
            held.then_some(f)
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "another file lies at the path now"))
        };
        match under_root().and_then(same) {
            Ok(file) => Ok(file),
            // a removed executable can be had without privileges
            Err(e) => open_regular(&self.path("exe")).and_then(same).map_err(|_| e),
        }
    }

    /// Read what can be read of at most 1,024 stretches, laid side by side into
    /// `buffer`.  How many bytes came, counted from the front.
    pub(crate) fn readv(&self, buffer: &mut [u8], parts: &[RemoteIoVec]) -> Result<usize, Errno> {
        process_vm_readv(Pid::from_raw(self.door), &mut [IoSliceMut::new(buffer)], parts)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        proc(self.door).join(name)
    }

    pub(crate) fn thread_path(&self, tid: i32) -> PathBuf {
        self.path("task").join(tid.to_string())
    }

    /// Whether somebody traces it.
    pub(crate) fn check_tracer(&self) -> Result<(), AttachError> {
        Status::read(&proc(self.door)).map_or(Ok(()), |s| self.check_tracer_in(&s))
    }

    /// Whether somebody traces the thread that this is the status of.
    pub(crate) fn check_tracer_in(&self, status: &Status) -> Result<(), AttachError> {
        if status.tracer == 0 {
            return Ok(());
        }
        // the kernel names the thread that traces
        let by = Status::read(&proc(status.tracer)).map(|s| s.group).filter(|&g| g > 0).unwrap_or(status.tracer);
        let name = std::fs::read_to_string(proc(by).join("comm")).unwrap_or_default();
        Err(AttachError::Traced { pid: self.pid, by, name: name.trim_end().to_owned() })
    }

    /// Reading one byte asks the kernel for the same right as stopping does.
    fn check_readable(&self, status: &Status) -> Result<(), AttachError> {
        let gone = AttachError::Gone { pid: self.pid };
        let maps = match self.mappings() {
            Ok(maps) => maps,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return Err(refusal(self.pid, status));
            }
            Err(_) => return Err(gone),
        };
        let base = maps.iter().find(|m| m.perms.r).ok_or(gone.clone())?.start as usize;
        match self.readv(&mut [0], &[RemoteIoVec { base, len: 1 }]) {
            Err(Errno::EPERM | Errno::EACCES | Errno::ENOSYS) => Err(refusal(self.pid, status)),
            Err(Errno::ESRCH) => Err(gone),
            _ => Ok(()),
        }
    }
}

impl Memory for Process {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault { address, length: buffer.len() as u64 };
        let mut done = 0;
        while done < buffer.len() {
            let at = address.checked_add(done as u64).ok_or(fault)?;
            let rest = &mut buffer[done..];
            let part = RemoteIoVec { base: at as usize, len: rest.len() };
            // one call moves at most 2 GiB; a short answer otherwise ends at a bad page
            match self.readv(rest, &[part]) {
                Ok(n) if n > 0 => done += n,
                _ => return Err(fault),
            }
        }
        Ok(())
    }
}

fn proc(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

pub(crate) fn threads_of(pid: i32) -> Vec<i32> {
    let entries = std::fs::read_dir(proc(pid).join("task")).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// The main thread, or any other where that one has ended.
fn living_thread(pid: i32) -> Option<i32> {
    let lives = |&t: &i32| Status::read(&proc(t)).is_some_and(|s| !s.is_dead());
    Some(pid).filter(lives).or_else(|| threads_of(pid).into_iter().find(lives))
}

/// Never waits (for a pipe's other end) and never becomes anybody's terminal.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let regular = |d: std::fs::Metadata| {
        if d.is_file() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
    };
    // asked before too: to open a device can do something
    regular(std::fs::metadata(path)?)?;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    regular(file.metadata()?)?;
    Ok(file)
}

/// Program and script of a command line (arguments end in NUL).
fn short_command(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line);
    let mut args = text.split('\0').filter(|a| !a.is_empty());
    // a program that renames itself writes one text with blanks: its first word
    let program = base_name(args.next()?.split(' ').next()?);
    let mut out = program.to_owned();
    if program.starts_with("python") || program.starts_with("pypy") {
        out.extend(script(args).map(|s| format!(" {s}")));
    }
    out.truncate(out.char_indices().nth(80).map_or(out.len(), |(i, _)| i));
    (!out.is_empty()).then_some(out)
}

/// What an interpreter was told to run.
fn script<'a>(mut args: impl Iterator<Item = &'a str>) -> Option<String> {
    while let Some(a) = args.next() {
        match a {
            "-m" => return Some(format!("-m {}", args.next()?)),
            "-c" => return Some("-c".into()),
            "-W" | "-X" | "--check-hash-based-pycs" => drop(args.next()),
            _ if a.starts_with('-') && a.len() > 1 => {}
            _ => return Some(base_name(a).to_owned()),
        }
    }
    None
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_without_its_arguments() {
        let name = |args: &[&str]| short_command((args.join("\0") + "\0").as_bytes());
        assert_eq!(
            name(&["/usr/bin/python3", "-X", "dev", "-u", "/srv/app.py", "--token", "x"]).unwrap(),
            "python3 app.py"
        );
        assert_eq!(name(&["python3.12", "-m", "http.server", "80"]).unwrap(), "python3.12 -m http.server");
        assert_eq!(name(&["python", "-c", "import secrets"]).unwrap(), "python -c");
        assert_eq!(name(&["/opt/tool", "secret"]).unwrap(), "tool");
        assert_eq!(name(&["gunicorn: worker [app]"]).unwrap(), "gunicorn:");
        assert_eq!(name(&[]), None);
    }

    #[test]
    fn reads_itself_and_faults_where_nothing_is() {
        let me = Process::open(std::process::id() as i32).unwrap();
        let value = 0x1122_3344_5566_7788_u64;
        assert_eq!(me.word(&raw const value as u64).unwrap(), value);
        assert!(me.word(8).is_err() && me.word(u64::MAX - 3).is_err());
        assert!(me.mappings().unwrap().find(&raw const value as u64).is_some());
        assert!(me.resident_bytes() > 0 && me.is_alive());
        assert_eq!(me.exe().unwrap(), std::env::current_exe().unwrap());
    }
}
