//! The program that is run, and the conversation with the function that waits at
//! its end (sitecustomize.py).  Knows nothing of heaps: when the program stands
//! ready it calls whoever looks.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use crate::signals::Inbox;

/// Runs before the program.
const START: &str = include_str!("sitecustomize.py");

/// The descriptor our end of the conversation has in the program: high, so that
/// the program's own files get the numbers they would have had.
const DESCRIPTOR: i32 = 200;

/// A program under way.
pub struct Program {
    child: Child,
    /// Our end; `None` once there is nothing more to say.
    stream: Option<UnixStream>,
    heard: Vec<u8>,
    /// Holds sitecustomize.py until it has been read.
    directory: Option<TempDir>,
    /// Its process, as it said itself (a wrapper script may stand between).
    pid: Option<i32>,
}

/// How it went.
pub struct Ended {
    /// The program's exit status.
    pub status: ExitStatus,
    /// Whether our start-up file was read at all.
    pub started: bool,
}

impl Program {
    /// Starts it, with its own standard streams and everything else as it is.
    pub fn start(python: &OsString, arguments: &[OsString]) -> io::Result<Program> {
        let directory = tempfile::Builder::new().prefix("undying-run-").tempdir()?;
        let here = directory.path().canonicalize()?;
        std::fs::write(here.join("sitecustomize.py"), START)?;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let duplicate = |least| fcntl(theirs.as_fd(), FcntlArg::F_DUPFD(least));
        let descriptor = duplicate(DESCRIPTOR).or_else(|_| duplicate(3))?;
        let mut said = OsString::from(format!("{descriptor}:"));
        said.push(&here);
        let mut path = OsString::from(&here);
        let mut command = Command::new(python);
        if let Some(before) = std::env::var_os("PYTHONPATH") {
            command.env("UNDYING_RUN_PYTHONPATH", &before);
            if !before.is_empty() {
                path.push(":");
                path.push(before);
            }
        }
        command.args(arguments).env("UNDYING_RUN", said).env("PYTHONPATH", path);
        let child = command.spawn();
        nix::unistd::close(descriptor)?;
        Ok(Program { child: child?, stream: Some(ours), heard: Vec::new(), directory: Some(directory), pid: None })
    }

    /// Waits for its end.  Signals that only we got are handed on.  `look` is
    /// called with the process once it stands ready; it goes on when `look` returns.
    pub fn wait(mut self, inbox: &Rc<Inbox>, look: &mut dyn FnMut(i32)) -> io::Result<Ended> {
        loop {
            while let Some(signal) = inbox.next() {
                signal.hand_on(self.child.id() as i32);
            }
            if let Some(status) = self.ended()? {
                return Ok(Ended { status, started: self.pid.is_some() });
            }
            if self.listen() == Some(Said::Ready) {
                look(self.pid.unwrap_or(self.child.id() as i32));
                // It reads an end of file and goes on.
                self.stream = None;
                continue;
            }
            self.sleep(inbox)?;
        }
    }

    /// Its exit status once it has ended.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        match self.child.try_wait() {
            // Whoever looked was its tracer and was told of its death in our place.
            Err(e) if e.raw_os_error() == Some(Errno::ECHILD as i32) => Ok(Some(ExitStatus::from_raw(9))),
            other => other,
        }
    }

    /// What it said since, if anything.
    fn listen(&mut self) -> Option<Said> {
        let mut buffer = [0; 64];
        let n = match self.stream.as_mut()?.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
            Ok(n) if n > 0 && self.heard.len() < 4096 => n,
            // It is gone, or talks too much to be ours.
            _ => {
                self.stream = None;
                return None;
            }
        };
        self.heard.extend_from_slice(&buffer[..n]);
        let (pid, rest) = parse(&self.heard);
        if let Some(pid) = pid {
            self.pid = Some(pid);
            self.directory = None;
        }
        self.heard.drain(..self.heard.len() - rest.len());
        (self.heard.first() == Some(&b'R')).then_some(Said::Ready)
    }

    /// Until a signal comes or something is said.
    fn sleep(&self, inbox: &Inbox) -> io::Result<()> {
        let mut fds = vec![PollFd::new(inbox.as_fd(), PollFlags::POLLIN)];
        if let Some(stream) = &self.stream {
            fds.push(PollFd::new(stream.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// What the function that waits says.
#[derive(PartialEq)]
enum Said {
    /// The program has ended and waits to be looked at.
    Ready,
}

/// The last process announced (`S123\n`), and what follows it.
fn parse(heard: &[u8]) -> (Option<i32>, &[u8]) {
    let (mut pid, mut rest) = (None, heard);
    while let Some((b'S', after)) = rest.split_first() {
        let Some(end) = after.iter().position(|&b| b == b'\n') else {
            break;
        };
        let digits = std::str::from_utf8(&after[..end]).unwrap_or_default();
        pid = digits.parse().ok().filter(|&p| p > 0).or(pid);
        rest = &after[end + 1..];
    }
    (pid, rest)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_conversation_may_come_in_any_pieces() {
        assert_eq!(parse(b""), (None, &b""[..]));
        assert_eq!(parse(b"S12"), (None, &b"S12"[..]));
        assert_eq!(parse(b"S12\n"), (Some(12), &b""[..]));
        assert_eq!(parse(b"S12\nR"), (Some(12), &b"R"[..]));
        assert_eq!(parse(b"S-1\nS\nR"), (None, &b"R"[..]));
    }
}
