//! How long a process stands still while it is copied, beside the yardstick: stop the
//! main thread, copy every private writable mapping whole by 1 MiB reads into room made
//! before, let go.
//!
//!     cargo run --release --example pause -- PID [ROUNDS]
//!
//! The two take turns; the medians and their ratio come last.
#![allow(clippy::print_stdout)]

use std::io::{self, IoSliceMut};
use std::time::{Duration, Instant};

use memmap2::MmapMut;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use undying_memory::{Plan, Process, Rest, private_writable};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let pid: i32 = args.next().ok_or("usage: pause PID [ROUNDS]")?.parse()?;
    let rounds: usize = args.next().map_or(Ok(9), |n| n.parse())?;
    let process = Process::open(pid)?;
    let (mut ours, mut naive) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let c = process.capture(&Plan::default(), &mut |_| Rest::AtRest)?;
        let (bytes, time) = yardstick(&process)?;
        println!(
            "ours {:>9.3} ms {:>6} MiB {} stops {} faults {} threads   yardstick {:>9.3} ms {:>6} MiB",
            ms(c.paused),
            c.copied_bytes >> 20,
            c.stops,
            c.faults,
            c.threads.len(),
            ms(time),
            bytes >> 20
        );
        ours.push(c.paused);
        naive.push(time);
    }
    let (a, b) = (median(ours), median(naive));
    println!("median ours {:.3} ms, yardstick {:.3} ms, ratio {:.2}", ms(a), ms(b), ms(a) / ms(b));
    Ok(())
}

/// Bytes copied and the time that the target stood.
fn yardstick(process: &Process) -> io::Result<(usize, Duration)> {
    let wanted = || -> io::Result<Vec<_>> {
        let all = process.mappings()?;
        Ok(all.iter().filter(|m| private_writable(m)).map(|m| (m.start as usize, m.len() as usize)).collect())
    };
    let total: usize = wanted()?.iter().map(|m| m.1).sum();
    let mut room = MmapMut::map_anon(total + total / 8 + (64 << 20))?;
    room.iter_mut().step_by(4096).for_each(|b| *b = 0);
    let pid = Pid::from_raw(process.pid());
    let began = Instant::now();
    ptrace::seize(pid, ptrace::Options::empty())?;
    ptrace::interrupt(pid)?;
    waitpid(pid, Some(WaitPidFlag::__WALL))?;
    let mut got = 0;
    for (start, length) in wanted()? {
        for at in (start..start + length).step_by(1 << 20) {
            let len = (start + length - at).min(1 << 20);
            let Some(to) = room.get_mut(got..got + len) else {
                break;
            };
            let part = RemoteIoVec { base: at, len };
            got += process_vm_readv(pid, &mut [IoSliceMut::new(to)], &[part]).unwrap_or(0);
        }
    }
    ptrace::detach(pid, None)?;
    Ok((got, began.elapsed()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(t: Duration) -> f64 {
    t.as_secs_f64() * 1e3
}
