//! The program that is run, and the conversation with the function that waits at
//! its end (sitecustomize.py).  Knows nothing of heaps: when the program stands
//! ready it calls whoever looks.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use super::births::Unrecorded;
use crate::signals::Inbox;

/// Runs before the program.
const START: &str = include_str!("sitecustomize.py");

/// The descriptor our end of the conversation has in the program: high, so that
/// the program's own files get the numbers they would have had.
const DESCRIPTOR: i32 = 200;

/// What it may say without an end of line, in bytes.
const LONGEST: usize = 16 << 10;

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
    /// Starts it, with its own standard streams and everything else as it is.  `births`
    /// are the wishes of the tracer, if it is to be started too.
    pub fn start(python: &OsString, arguments: &[OsString], births: Option<&str>) -> io::Result<Program> {
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
        match births {
            Some(wishes) => command.env("UNDYING_RUN_BIRTHS", wishes),
            None => command.env_remove("UNDYING_RUN_BIRTHS"),
        };
        let child = command.spawn();
        nix::unistd::close(descriptor)?;
        Ok(Program { child: child?, stream: Some(ours), heard: Vec::new(), directory: Some(directory), pid: None })
    }

    /// Waits for its end.  Signals that only we got are handed on.
    pub fn wait(mut self, inbox: &Rc<Inbox>, onlooker: &mut dyn Onlooker) -> io::Result<Ended> {
        loop {
            while let Some(signal) = inbox.next() {
                signal.hand_on(self.child.id() as i32);
            }
            if let Some(status) = self.ended()? {
                return Ok(Ended { status, started: self.pid.is_some() });
            }
            match self.listen() {
                Some(Said::Started(pid)) => {
                    self.pid = Some(pid);
                    self.directory = None;
                }
                Some(Said::Ready) => {
                    onlooker.look(self.pid.unwrap_or(self.child.id() as i32));
                    // It reads an end of file and goes on.
                    self.stream = None;
                }
                Some(Said::Unrecorded(why)) => {
                    let answer = if onlooker.goes_on_without_births(&why) { b"Y" } else { b"N" };
                    // One that is gone by now needs none.
                    let _ = self.stream.as_mut().map(|stream| stream.write(answer));
                }
                None => self.sleep(inbox)?,
            }
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

    /// The next thing it said, if it said any.
    fn listen(&mut self) -> Option<Said> {
        loop {
            while let Some(line) = next_line(&mut self.heard) {
                let said = Said::parse(&line);
                if said.is_some() {
                    return said;
                }
            }
            let mut buffer = [0; 512];
            let n = match self.stream.as_mut()?.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Ok(n) if n > 0 && self.heard.len() < LONGEST => n,
                // It is gone, or talks too much to be ours.
                _ => {
                    self.stream = None;
                    return None;
                }
            };
            self.heard.extend_from_slice(&buffer[..n]);
        }
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

/// Whoever wants to know of the program's way.
pub trait Onlooker {
    /// It stands ready to be looked at, and goes on when this returns.
    fn look(&mut self, pid: i32);

    /// Births are not recorded; whether it goes on all the same.
    fn goes_on_without_births(&mut self, why: &Unrecorded) -> bool;
}

/// What the start-up file and the function that waits say, a line each.
#[derive(PartialEq, Debug)]
enum Said {
    /// This process has begun (`S123`).
    Started(i32),
    /// There is no tracer, and why.
    Unrecorded(Unrecorded),
    /// The program has ended and waits to be looked at (`R`).
    Ready,
}

impl Said {
    fn parse(line: &[u8]) -> Option<Said> {
        let line = String::from_utf8_lossy(line);
        match line.strip_prefix('S') {
            Some(digits) => digits.parse().ok().filter(|&p| p > 0).map(Said::Started),
            None if line == "R" => Some(Said::Ready),
            None => Unrecorded::parse(&line).map(Said::Unrecorded),
        }
    }
}

/// Takes the first line, once it is all there.
fn next_line(heard: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = heard.iter().position(|&b| b == b'\n')?;
    let mut line: Vec<u8> = heard.drain(..=end).collect();
    line.pop();
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::super::births::Unrecorded;
    use super::{Said, next_line};

    #[test]
    fn the_conversation_may_come_in_any_pieces() {
        let mut heard = b"S12".to_vec();
        assert_eq!(next_line(&mut heard), None);
        heard.extend_from_slice(b"\nN/p\nR");
        assert_eq!(next_line(&mut heard).as_deref(), Some(&b"S12"[..]));
        assert_eq!(next_line(&mut heard).as_deref(), Some(&b"N/p"[..]));
        assert_eq!((next_line(&mut heard), &heard[..]), (None, &b"R"[..]));
    }

    #[test]
    fn each_line_says_one_thing_or_nothing() {
        assert_eq!(Said::parse(b"S12"), Some(Said::Started(12)));
        assert_eq!(Said::parse(b"R"), Some(Said::Ready));
        let none = Unrecorded::NoModule { python: "/p".into() };
        assert_eq!(Said::parse(b"N/p"), Some(Said::Unrecorded(none)));
        for nothing in [&b"S-1"[..], b"S", b"", b"RR", b"\xff"] {
            assert_eq!(Said::parse(nothing), None);
        }
    }
}
