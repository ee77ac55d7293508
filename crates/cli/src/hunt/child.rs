//! The interpreter in which the callable runs, and the conversation with the driver in
//! it (driver.py): one command, one answer.  Knows nothing of heaps and of what the
//! answers mean.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use undying_recorder::{Limits, RecordError, Recording};

use crate::signals;

/// Runs in the interpreter.
const DRIVER: &str = include_str!("driver.py");
/// Where the driver's sockets are in the interpreter: high, out of the program's way.
const DESCRIPTOR: i32 = 200;
/// The longest line that it may say, in bytes.
const LONGEST: usize = 64 << 10;
/// How often it is looked after whether it lives and whether we are to stop.
const TICK_MS: u16 = 100;
/// How long it may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// The answer to calls that were recorded.
pub type Ended = Result<Counts, Trouble>;

/// What came of calls in a copy of the process.
#[derive(Debug)]
pub enum Rehearsal {
    /// This process has made them, and waits.
    Done(i32),
    /// There is no copying.
    NoCopy,
    /// They are not what they are in the process itself.
    Failed(String),
}

/// What is to be called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// A script's file, not a module.
    pub is_script: bool,
    /// The module's dotted name, or the script's path.
    pub place: OsString,
    /// The callable's name in it, dotted.
    pub name: String,
    /// Its arguments, as they were written.
    pub arguments: Vec<String>,
    /// Whether exceptions are part of it.
    pub expect_errors: bool,
}

/// What the allocators count after calls.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Counts {
    /// Who says it.
    pub pid: i32,
    /// `sys.getallocatedblocks()`.
    pub blocks: i64,
    /// The C allocator's bytes in use; `None` where it cannot be asked.
    pub native_bytes: Option<i64>,
    /// Calls that raised an exception.
    pub raised: u64,
    /// What the calls took.
    pub seconds: f64,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The driver says no: a letter and why (see driver.py).
    Refused(char, String),
    /// It ended, and how.
    Ended(ExitStatus),
    /// No answer came within the time that there was for it.
    Late,
    /// A signal asked us to stop.
    Stopped,
    /// It could not be started or asked.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Trouble {
        Trouble::Io(e)
    }
}

/// One of the two ways to a driver: to itself, or to its copy.
struct Line {
    stream: UnixStream,
    heard: Vec<u8>,
}

/// The interpreter under way; it is ended when this is dropped.
pub struct Driven {
    child: Child,
    main: Line,
    spare: Line,
    /// Its process, as it said itself (a wrapper script may stand between).
    pid: i32,
    /// When to give up waiting for an answer.
    until: Option<Instant>,
    /// The driver, as its code objects name it.
    file: PathBuf,
    /// Holds it; multiprocessing may read it again.
    _directory: TempDir,
}

impl Driven {
    /// Starts it; what the program writes to standard output goes to our standard error.
    pub fn start(python: &OsString, wanted: &Wanted) -> io::Result<Driven> {
        let directory = tempfile::Builder::new().prefix("undying-hunt-").tempdir()?;
        let file = directory.path().canonicalize()?.join("driver.py");
        std::fs::write(&file, DRIVER)?;
        let (main, theirs) = UnixStream::pair()?;
        let (spare, copys) = UnixStream::pair()?;
        let mut descriptors = Vec::new();
        for stream in [&theirs, &copys] {
            let duplicate = |least| fcntl(stream.as_fd(), FcntlArg::F_DUPFD(least));
            descriptors.push(duplicate(DESCRIPTOR).or_else(|_| duplicate(3))?);
        }
        let mut command = Command::new(python);
        command.arg(&file).args(descriptors.iter().map(ToString::to_string));
        command.arg(if wanted.is_script { "script" } else { "module" }).arg(&wanted.place).arg(&wanted.name);
        command.arg(if wanted.expect_errors { "1" } else { "0" }).args(&wanted.arguments);
        command.stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
        let child = command.spawn();
        for descriptor in descriptors {
            nix::unistd::close(descriptor)?;
        }
        let line = |stream: UnixStream| Line { stream, heard: Vec::new() };
        Ok(Driven {
            child: child?,
            main: line(main),
            spare: line(spare),
            pid: 0,
            until: None,
            file,
            _directory: directory,
        })
    }

    /// Its process; 0 before [`Driven::ready`].
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether the line is one of the driver's at which nothing of the program runs: its own
    /// loops and variables take references to `None` and other constants too.
    pub fn is_own(&self, file: &str, line: u32) -> bool {
        let text = DRIVER.lines().nth((line as usize).saturating_sub(1)).unwrap_or("").trim();
        Path::new(file) == self.file && text != "collect()" && !text.starts_with("call(*args")
    }

    /// Waits until the callable is found.
    pub fn ready(&mut self) -> Result<(), Trouble> {
        let said = self.answer(false, 'S')?;
        self.pid = said.parse().unwrap_or(self.child.id() as i32);
        Ok(())
    }

    /// Makes so many calls.
    pub fn calls(&mut self, number: u64) -> Result<Counts, Trouble> {
        self.say(&format!("C{number}"))?;
        counts(&self.answer(false, 'C')?)
    }

    /// Has so many calls made in a copy of the process, which waits then to be looked at:
    /// its process, or why there is none.  The calls may take `patience`.
    pub fn rehearse(&mut self, number: u64, patience: Duration) -> Result<Rehearsal, Trouble> {
        self.spare.heard.clear();
        self.say("F")?;
        let copy = match self.answer(false, 'F')?.parse::<i32>() {
            Ok(copy) if copy > 0 => copy,
            _ => return Ok(Rehearsal::NoCopy),
        };
        self.spare.stream.write_all(format!("C{number}").as_bytes())?;
        // Should the copy die, nobody says so: the socket is the original's too.
        self.until = Some(Instant::now() + patience);
        let answer = self.answer(true, 'C');
        self.until = None;
        let why = match answer {
            Ok(_) => return Ok(Rehearsal::Done(copy)),
            Err(Trouble::Refused('E' | 'X', why)) => format!("they end with {}", why.trim_end_matches([':', ' '])),
            Err(Trouble::Late) => "they do not come to an end".to_owned(),
            Err(trouble) => return Err(trouble),
        };
        // It is a child of ours that nobody has waited for: the number is still its own.
        let _ = kill(Pid::from_raw(copy), Signal::SIGKILL);
        self.say(&format!("W{copy}"))?;
        self.answer(false, 'W')?;
        Ok(Rehearsal::Failed(why))
    }

    /// Makes so many calls while the words at these addresses are watched.  Gives what
    /// was recorded, and the answer to the calls.
    pub fn record(
        &mut self,
        number: u64,
        addresses: &[u64],
        limits: &Limits,
    ) -> (Result<Recording, RecordError>, Ended) {
        let mut to = match self.main.stream.try_clone() {
            Ok(to) => to,
            Err(e) => return (Err(RecordError::Go(e)), self.calls(number)),
        };
        let go = move || to.write_all(format!("C{number}").as_bytes());
        let main = &mut self.main;
        // Whether the child lives must not be asked meanwhile: its stops are the recorder's.
        let done = || !matches!(main.has_more(), Ok(true)) || main.heard.contains(&b'\n');
        let recording = undying_recorder::record(self.pid, addresses, limits, go, done);
        let answer = match &recording {
            Ok(_) => self.answer(false, 'C').and_then(|said| counts(&said)),
            // it may not have been told to go
            Err(_) => Ok(Counts::default()),
        };
        (recording, answer)
    }

    /// Ends the copy and waits until it is gone.
    pub fn dismiss(&mut self, copy: i32) -> Result<(), Trouble> {
        self.spare.stream.write_all(b"Q")?;
        self.say(&format!("W{copy}"))?;
        self.answer(false, 'W').map(drop)
    }

    /// From now on where objects are born is recorded, so many frames deep.
    pub fn record_births(&mut self, frames: u32) -> Result<(), Trouble> {
        self.say(&format!("B{frames}"))?;
        self.answer(false, 'B').map(drop)
    }

    fn say(&mut self, command: &str) -> io::Result<()> {
        self.main.stream.write_all(command.as_bytes())
    }

    /// The next line that begins with this letter, from the copy or from itself.
    fn answer(&mut self, of_copy: bool, letter: char) -> Result<String, Trouble> {
        loop {
            if let Some(line) = self.main.next_line().or_else(|| self.spare.next_line()) {
                let (first, rest) = (line.chars().next().unwrap_or(' '), line.get(1..).unwrap_or(""));
                if first == letter {
                    return Ok(rest.to_owned());
                }
                return Err(Trouble::Refused(first, rest.to_owned()));
            }
            if signals::stopped() {
                return Err(Trouble::Stopped);
            }
            if self.until.is_some_and(|until| Instant::now() > until) {
                return Err(Trouble::Late);
            }
            self.listen(of_copy)?;
        }
    }

    /// Takes in what comes within a tick.
    fn listen(&mut self, of_copy: bool) -> Result<(), Trouble> {
        let ready = |fds: &[PollFd], i: usize| fds[i].revents().is_some_and(|r| !r.is_empty());
        let (main, spare) = {
            let lines = [&self.main, &self.spare];
            let mut fds: Vec<PollFd> = lines
                .iter()
                .take(1 + usize::from(of_copy))
                .map(|l| PollFd::new(l.stream.as_fd(), PollFlags::POLLIN))
                .collect();
            match poll(&mut fds, PollTimeout::from(TICK_MS)) {
                Ok(_) => (ready(&fds, 0), of_copy && ready(&fds, 1)),
                Err(Errno::EINTR) => return Ok(()),
                Err(e) => return Err(Trouble::Io(e.into())),
            }
        };
        let mut open = true;
        if main {
            open &= self.main.take_in()?;
        }
        if spare {
            open &= self.spare.take_in()?;
        }
        // A grandchild may hold the socket: what counts is whether the process is there.
        match self.child.try_wait() {
            Ok(None) if open => Ok(()),
            Ok(None) => self.gone(),
            Ok(Some(status)) if self.main.heard.is_empty() => Err(Trouble::Ended(status)),
            Ok(Some(_)) => Ok(()),
            // Whoever captured it was its tracer and was told of its death in our place.
            Err(e) if e.raw_os_error() == Some(Errno::ECHILD as i32) => Err(Trouble::Ended(ExitStatus::from_raw(9))),
            Err(e) => Err(e.into()),
        }
    }

    /// It has closed its end: it is about to end, or it talks no more.
    fn gone(&mut self) -> Result<(), Trouble> {
        self.part();
        let status = self.child.try_wait().ok().flatten().unwrap_or(ExitStatus::from_raw(9));
        Err(Trouble::Ended(status))
    }

    /// Waits for its end, a while; then ends it.
    fn part(&mut self) {
        for line in [&self.main, &self.spare] {
            let _ = line.stream.shutdown(std::net::Shutdown::Both);
        }
        let began = Instant::now();
        while began.elapsed() < FAREWELL && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.part();
    }
}

impl Line {
    fn next_line(&mut self) -> Option<String> {
        let end = self.heard.iter().position(|&b| b == b'\n')?;
        let line: Vec<u8> = self.heard.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// Takes in what is there, without waiting; whether there may come more.
    fn has_more(&mut self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(0) | Err(Errno::EINTR) => Ok(true),
            Ok(_) => self.take_in(),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether there may come more.
    fn take_in(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(n) if n > 0 && self.heard.len() < LONGEST => {
                self.heard.extend_from_slice(&buffer[..n]);
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// `PID BLOCKS NATIVE RAISED SECONDS`
fn counts(said: &str) -> Result<Counts, Trouble> {
    let mut words = said.split(' ');
    let mut number = || words.next().and_then(|w| w.parse::<i64>().ok());
    let whole = (number(), number(), number(), number());
    let seconds = words.next().and_then(|w| w.parse::<f64>().ok());
    let ((Some(pid), Some(blocks), Some(native), Some(raised)), Some(seconds)) = (whole, seconds) else {
        return Err(Trouble::Refused('?', said.to_owned()));
    };
    Ok(Counts {
        pid: i32::try_from(pid).unwrap_or(0),
        blocks,
        native_bytes: (native >= 0).then_some(native),
        raised: raised.unsigned_abs(),
        seconds: seconds.max(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::{Trouble, counts};

    #[test]
    fn counts_are_five_numbers() {
        let c = counts("12 345 -1 3 0.5").expect("well formed");
        assert_eq!((c.pid, c.blocks, c.native_bytes, c.raised, c.seconds), (12, 345, None, 3, 0.5));
        assert_eq!(counts("12 345 7 3 0.5").expect("well formed").native_bytes, Some(7));
        for torn in ["", "1 2 3 4", "1 2 x 4 5", "1 2 3 4 x"] {
            assert!(matches!(counts(torn), Err(Trouble::Refused('?', _))), "{torn}");
        }
    }
}
