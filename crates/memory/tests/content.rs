//! What the image holds is what the process held.

mod harness;

use harness::{Target, capture};
use undying_memory::{Mapping, Memory, Plan, Process, Rest, modules};

/// Byte `i` of the pattern.
fn pattern(i: u64) -> u8 {
    (i.wrapping_mul(2654435761) >> 13) as u8
}

/// 32 MiB written whole, 64 MiB of which some pages are, an unreadable page between
/// readable ones, shared memory, and a file's private pages, some of them written.
const KNOWN: &str = r#"
import ctypes, mmap, os, sys, tempfile
MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
address = lambda m: ctypes.addressof(ctypes.c_char.from_buffer(m))
block = bytes(((i * 2654435761) >> 13) & 255 for i in range(MIB))

full = mmap.mmap(-1, 32 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(32):
    full[i * MIB:(i + 1) * MIB] = block

sparse = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in (0, 1, 20, 5000, 16383):
    sparse[page * 4096:page * 4096 + 4096] = block[:4096]

hole = mmap.mmap(-1, 4 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(4):
    hole[i * MIB:(i + 1) * MIB] = block
assert libc.mprotect(ctypes.c_void_p(address(hole) + MIB), 4096, 0) == 0

shared = mmap.mmap(-1, MIB)
shared[:] = block

file = tempfile.TemporaryFile()
file.write(block * 2)
file.flush()
backed = mmap.mmap(file.fileno(), 2 * MIB, access=mmap.ACCESS_COPY)
backed[4096:4100] = b"mine"

# a private mapping that goes on behind the end of its file: its last pages fault
short = tempfile.TemporaryFile()
short.write(block[:8192])
short.flush()
short_map = mmap.mmap(short.fileno(), 8192, access=mmap.ACCESS_COPY)
os.ftruncate(short.fileno(), 4096)

print("READY", *(address(m) for m in (full, sparse, hole, shared, backed, short_map)))
sys.stdin.readline()
print("OK")
"#;

const MIB: u64 = 1 << 20;

fn is_pattern(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(i, &b)| b == pattern(i as u64 % MIB))
}

#[test]
fn every_byte_is_there_and_nothing_else() {
    let target = Target::code(KNOWN);
    let at: Vec<u64> = target.said.split(' ').map(|n| n.parse().unwrap()).collect();
    let &[full, sparse, hole, shared, backed, short] = &at[..] else { panic!("{at:?}") };
    let c = capture(target.pid());
    let image = &c.image;

    assert!(is_pattern(image.slice(full, 32 * MIB).unwrap()));
    for page in [0, 1, 20, 5000, 16383] {
        assert!(is_pattern(image.slice(sparse + page * 4096, 4096).unwrap()));
    }
    assert!(image.slice(sparse + 10_000 * 4096, 1).is_none(), "a page never touched is not copied");

    // three mappings now, and the one in the middle may not be read
    assert!(is_pattern(image.slice(hole, MIB).unwrap()));
    assert!(image.slice(hole + MIB, 1).is_none());
    assert_eq!(image.slice(hole + MIB + 4096, 1), Some(&[pattern(4096)][..]));

    assert!(image.slice(shared, 1).is_none(), "shared memory is not the target's alone");
    let held = image.slice(backed, 2 * MIB).unwrap();
    assert_eq!(&held[4096..4100], b"mine");
    assert!(is_pattern(&held[..4096]) && is_pattern(&held[MIB as usize..]));

    // its second page is in no file any more
    assert!(is_pattern(image.slice(short, 4096).unwrap()));
    assert!(image.slice(short + 4096, 1).is_none());
    assert_eq!(c.faults, 1);
    assert_eq!(c.copied_bytes, image.len());
    assert!(c.resident_bytes > 32 * MIB);
    target.finish();
}

/// Until it is in `read(0, …)` (proc(5), `/proc/PID/syscall`): what it does on its way there
/// changes its memory.
fn waits_for_input(pid: i32) {
    let began = std::time::Instant::now();
    while !std::fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|s| s.starts_with("0 0x0 ")) {
        assert!(began.elapsed().as_secs() < 60, "it never comes to wait");
        std::thread::yield_now();
    }
}

/// Slow twin: each word of the image is what one read of the (sleeping) target gives.
#[test]
fn the_image_agrees_with_reads_of_the_live_process() {
    let target = Target::code("import sys; x = [str(i) for i in range(50000)]; print('READY'); sys.stdin.readline()");
    let process = Process::open(target.pid()).unwrap();
    waits_for_input(target.pid());
    let c = capture(target.pid());
    let mut page = vec![0; 4096];
    for s in c.image.segments() {
        let bytes = c.image.segment_bytes(s);
        for (i, held) in bytes.chunks(4096).enumerate() {
            let address = s.start + 4096 * i as u64;
            process.read(address, &mut page[..held.len()]).unwrap();
            assert!(page[..held.len()] == *held, "{address:#x}");
            assert_eq!(c.image.word(address).ok(), process.word(address).ok());
        }
        let m = c.mappings.find(s.start).unwrap();
        assert!(m.perms.r && m.perms.w && m.perms.private);
    }
    // all that is writable and small is there whole
    for m in c.mappings.iter().filter(|m| undying_memory::private_writable(m) && m.len() <= MIB) {
        assert!(c.image.slice(m.start, m.len()).is_some(), "{m:?}");
    }
}

#[test]
fn the_plan_chooses_and_limits() {
    let target = Target::code("import sys; print('READY'); sys.stdin.readline()");
    let process = Process::open(target.pid()).unwrap();
    let stacks = Plan { wanted: |m: &Mapping| m.path == "[stack]", thread_regs: false, ..Plan::default() };
    let c = process.capture(&stacks, &mut |_| Rest::AtRest).unwrap();
    assert_eq!(c.image.segments().len(), 1);
    assert_eq!(c.mappings.find(c.image.segments()[0].start).unwrap().path, "[stack]");
    assert_eq!(c.threads[0].registers.rsp, 0);
    let small = Plan { max_bytes: 4096, ..Plan::default() };
    let e = process.capture(&small, &mut |_| Rest::AtRest).unwrap_err();
    assert!(e.to_string().contains("4096"), "{e}");
}

#[test]
fn a_target_that_grows_between_two_stops_is_given_more_room() {
    let code = "import sys; print('READY')\nsys.stdin.readline(); x = b'x' * (96 << 20); print('GREW', flush=True)\n\
                sys.stdin.readline(); print('OK')";
    let mut target = Target::code(code);
    let process = Process::open(target.pid()).unwrap();
    let before = capture(target.pid()).image.len();
    // room is made before the first stop; the target grows when that is over
    let mut asked = 0;
    let c = std::thread::scope(|s| {
        let (told, tell) = std::sync::mpsc::channel();
        let target = &mut target;
        let teller = s.spawn(move || {
            tell.recv().unwrap();
            target.tell("grow");
            assert_eq!(target.line(), "GREW");
        });
        let mut teller = Some(teller);
        let plan = Plan { try_times: 1000, ..Plan::default() };
        process
            .capture(&plan, &mut |_| {
                asked += 1;
                if asked == 1 {
                    told.send(()).unwrap();
                }
                if teller.as_ref().is_some_and(|t| !t.is_finished()) {
                    return Rest::Busy("growing");
                }
                if let Some(t) = teller.take() {
                    t.join().unwrap();
                }
                Rest::AtRest
            })
            .unwrap()
    });
    assert!(c.stops > 2 && c.at_rest && c.image.len() > before + (96 << 20));
    assert_eq!(target.finish().trim(), "OK");
}

#[test]
fn the_registers_are_those_of_the_threads() {
    let code = "import sys, threading\nfor i in range(5): threading.Thread(target=threading.Event().wait, daemon=True).start()\n\
                print('READY'); sys.stdin.readline()";
    let target = Target::code(code);
    let c = capture(target.pid());
    assert_eq!(c.threads.len(), 6);
    assert_eq!(c.threads[0].tid, target.pid());
    assert_eq!(c.threads[0].in_syscall, Some(0), "the main thread reads");
    let process = Process::open(target.pid()).unwrap();
    let all = modules(&process, &c.mappings);
    let mut bases = Vec::new();
    for t in &c.threads {
        let r = t.registers;
        assert!(c.mappings.find(r.rip).is_some_and(|m| m.perms.x));
        assert!(all.iter().any(|m| (m.start..m.end).contains(&r.rip)));
        // the stack is in the image from the stack pointer on
        assert!(c.image.slice(r.rsp, 64).is_some());
        // the first word of a thread's own storage is its address (glibc, x86-64)
        assert_eq!(c.image.word(r.fs_base).unwrap(), r.fs_base);
        assert_eq!((r.general[7], r.general[0]), (r.rsp, r.rax));
        assert!(t.name.starts_with("python"));
        bases.push(r.fs_base);
    }
    bases.sort_unstable();
    bases.dedup();
    assert_eq!(bases.len(), 6);
}
