//! A directory that appears whole or not at all: filled under a temporary
//! sibling name, flushed to the disk, renamed.  What a killed writer left is taken
//! away by the next one.  Knows paths and permissions, not what the files hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::WriteError;
use crate::schema::META;

/// The temporary directory; removed with all it holds unless it is committed.
pub(crate) struct Partial {
    /// Where the files go meanwhile.
    path: PathBuf,
    dest: PathBuf,
    force: bool,
    committed: bool,
    /// Locked as long as its writer lives, for the next one to see.
    _lock: Option<File>,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> WriteError + '_ {
    move |why| WriteError::Io { path: path.into(), why }
}

impl Partial {
    /// Checks the destination, takes away what killed writers to it left, and makes
    /// the directory `.NAME.XXXXXXXX.partial` beside it.
    pub fn create(dest: &Path, force: bool) -> Result<Partial, WriteError> {
        let name = dest.file_name().ok_or_else(|| WriteError::NoName(dest.into()))?;
        check_destination(dest, force)?;
        let parent = parent_of(dest);
        remove_stale(parent, name);
        for attempt in 0..100 {
            let path = parent.join(temporary_name(name, salt().wrapping_add(attempt)));
            match make_private_directory(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(io_at(&path)(e)),
            }
            // Another writer may have come between and taken it for a killed one's.
            let lock = match lock(&path) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                other => other.ok(),
            };
            if path.is_dir() {
                return Ok(Partial { path, dest: dest.into(), force, committed: false, _lock: lock });
            }
        }
        Err(io_at(parent)(io::Error::other("no free temporary name")))
    }

    /// Where the directory will be.
    pub fn dest(&self) -> &Path {
        &self.dest
    }

    /// The path of a file in it.
    pub fn join(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// A new file in it, for its owner only.
    pub fn file(&self, name: &str) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path.join(name))
    }

    /// Flushes what the files hold, then gives the directory its name.
    pub fn commit(mut self) -> Result<(), WriteError> {
        sync(&self.path).map_err(io_at(&self.path))?;
        check_destination(&self.dest, self.force)?;
        if self.force && self.dest.is_dir() {
            self.replace().map_err(io_at(&self.dest))?;
        } else {
            rename_new(&self.path, &self.dest).map_err(|why| match why.kind() {
                io::ErrorKind::AlreadyExists => WriteError::Exists(self.dest.clone()),
                _ => WriteError::Io { path: self.dest.clone(), why },
            })?;
        }
        self.committed = true;
        let parent = parent_of(&self.dest);
        sync(parent).map_err(io_at(parent))
    }

    /// The new directory takes the old one's place; then the old one goes.
    fn replace(&self) -> io::Result<()> {
        if exchange(&self.path, &self.dest).is_ok() {
            return match fs::remove_dir_all(&self.path) {
                // The old one bears a temporary name now, and another writer was quicker.
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                done => done,
            };
        }
        // Where the two cannot change places at once, the old one steps aside;
        // should the new one then not take its place, it comes back.
        let aside = self.path.with_extension("replaced");
        fs::rename(&self.dest, &aside)?;
        if let Err(e) = fs::rename(&self.path, &self.dest) {
            fs::rename(&aside, &self.dest)?;
            return Err(e);
        }
        fs::remove_dir_all(&aside)
    }
}

/// Renames, unless there is something at `to` by now.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // A file system that knows no such rename.
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(from, to),
        done => Ok(done?),
    }
}

/// Renames; the system refuses when there is something in `to` by now.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Lets two directories change places in one step.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    Ok(renameat2(AT_FDCWD, a, AT_FDCWD, b, RenameFlags::RENAME_EXCHANGE)?)
}

/// Not known how on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.committed && self.path.exists() {
            // Nobody is left to be told.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// What may be written over: nothing at all, or with `force` a snapshot or an
/// empty directory.
fn check_destination(dest: &Path, force: bool) -> Result<(), WriteError> {
    let there = match fs::symlink_metadata(dest) {
        Ok(there) => there,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_at(dest)(e)),
    };
    if !force {
        return Err(WriteError::Exists(dest.into()));
    }
    let replaceable =
        there.is_dir() && (dest.join(META).is_file() || fs::read_dir(dest).map_err(io_at(dest))?.next().is_none());
    if replaceable { Ok(()) } else { Err(WriteError::NotOurs(dest.into())) }
}

fn parent_of(dest: &Path) -> &Path {
    match dest.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// `.NAME.XXXXXXXX.partial`
fn temporary_name(name: &OsStr, salt: u32) -> OsString {
    let mut unique = OsString::from(".");
    unique.push(name);
    unique.push(format!(".{salt:08x}.partial"));
    unique
}

/// Whether a writer to `name` may have called its directory so.
fn is_temporary_name(file: &OsStr, name: &OsStr) -> bool {
    let salt = || {
        let bytes = file.as_encoded_bytes().strip_prefix(b".")?.strip_prefix(name.as_encoded_bytes())?;
        bytes.strip_prefix(b".")?.strip_suffix(b".partial")
    };
    salt().is_some_and(|s| s.len() == 8 && s.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Removes the directories of writers to `name` that are gone.  A lock tells, and
/// not a process id: that of another container means nothing here.  Where nothing can
/// be locked nothing is removed.  No failure matters: the new snapshot needs none of it.
fn remove_stale(parent: &Path, name: &OsStr) {
    let Ok(siblings) = fs::read_dir(parent) else { return };
    for sibling in siblings.flatten().filter(|s| is_temporary_name(&s.file_name(), name)) {
        let is_directory = sibling.file_type().is_ok_and(|t| t.is_dir());
        if is_directory && let Ok(_held) = lock(&sibling.path()) {
            let _ = fs::remove_dir_all(sibling.path());
        }
    }
}

/// A hold on a directory that ends with the process.
fn lock(path: &Path) -> io::Result<File> {
    let directory = File::open(path)?;
    directory.try_lock()?;
    Ok(directory)
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Flushes a directory's entries to the disk.
fn sync(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems cannot do this for a directory, and need not.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// A number that two writers hardly share: process, clock, count.
fn salt() -> u32 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let mix = clock ^ (std::process::id() as u64) << 20 ^ COUNT.fetch_add(1, Ordering::Relaxed) << 48;
    (mix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a killed process leaves it: the files are there and the lock is not.
    fn killed(dest: &Path) -> PathBuf {
        let mut partial = Partial::create(dest, false).unwrap();
        partial.file("objects.parquet").unwrap();
        partial.committed = true;
        partial.path.clone()
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_what_a_living_one_holds_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (dest, other) = (dir.path().join("s"), dir.path().join("s.0123abcd"));
        let living = Partial::create(&dest, false).unwrap();
        let first = killed(&dest);
        assert!(first.is_dir());
        let of_another = killed(&other);
        let second = Partial::create(&dest, false).unwrap();
        assert!(!first.exists(), "{first:?}");
        assert!(living.path.is_dir() && second.path.is_dir() && of_another.is_dir());
        second.commit().unwrap();
        drop(living);
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 2, "the snapshot, and what another name left");
    }

    #[test]
    fn only_our_own_directories_are_taken_for_left_ones() {
        let dir = tempfile::tempdir().unwrap();
        let mine =
            [".s.partial", ".s.1234567.partial", ".s.1234567g.partial", ".s.12345678.part", "s.12345678.partial"];
        mine.iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
        fs::write(dir.path().join(".s.00000001.partial"), "a file").unwrap();
        fs::create_dir(dir.path().join(".s.00000002.partial")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path().join(mine[0]), dir.path().join(".s.00000003.partial")).unwrap();
        Partial::create(&dir.path().join("s"), false).unwrap().commit().unwrap();
        assert!(mine.iter().all(|name| dir.path().join(name).is_dir()));
        assert!(dir.path().join(".s.00000001.partial").is_file());
        assert!(!dir.path().join(".s.00000002.partial").exists());
        #[cfg(unix)]
        assert!(dir.path().join(".s.00000003.partial").is_symlink());
    }

    #[test]
    fn writers_to_one_name_do_not_take_each_other_away() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("s");
        let write = |times| {
            for _ in 0..times {
                let partial = Partial::create(&dest, true).unwrap();
                partial.file(META).unwrap();
                partial.commit().unwrap();
            }
        };
        write(1);
        std::thread::scope(|s| (0..4).for_each(|_| drop(s.spawn(|| write(100)))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
