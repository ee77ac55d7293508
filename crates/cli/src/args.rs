//! The command line: every command and option once, with its help.  What an
//! option does is written where it is done.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::judge::Judging;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 done, and found what --fail-on named; 2 wrong usage; 3 the target \
cannot be read (gone, not permitted, not CPython, an unsupported build); 4 the snapshot is \
damaged or from a newer schema; 5 the result could not be written; 128+N stopped by signal N.";

/// Finds the Python objects that should be dead and names what keeps them alive.
#[derive(Parser, Debug)]
#[command(name = "undying", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// text for people, json for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// Say only what was asked for: no progress, no notes
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Replace a snapshot or a file that is there already
    #[arg(long, global = true)]
    pub force: bool,
    /// No colour, even on a terminal (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// For whom the result is written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Capture a snapshot of a running process
    Dump(Dump),
    /// What stands out in one heap: suspects, and the heap in figures
    Report(Report),
    /// What grew between snapshots of one process, oldest first: suspects ranked
    Diff(Diff),
    /// Who keeps objects alive: the distinct chains from roots, counted
    Why(Why),
    /// Cycles by shape, garbage or held, and the reference to make weak
    Cycles(Cycles),
    /// Born, dead, alive: by class and birthplace, where births were recorded
    Lives(Lives),
    /// Reference counts against references: what native code lost, stole or cannot free
    Refs(Refs),
    /// Classes by size and count
    Top(Top),
    /// Run a program and report at its exit
    Run(Run),
    /// Call a function in rounds: what each call leaves behind, and who is to blame
    Hunt(Hunt),
    /// Can a process be read? What stops us, and the one command that helps
    Doctor(Doctor),
}

/// `undying dump`
#[derive(Args, Debug)]
pub struct Dump {
    /// The process
    pub pid: String,
    /// The directory to create; it appears whole or not at all
    /// [default: undying-PROGRAM.PID.TIME]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// A pid or a snapshot.
#[derive(Args, Debug)]
pub struct Source {
    /// A pid, or a snapshot's directory
    pub target: OsString,
}

/// `undying report`
#[derive(Args, Debug)]
pub struct Report {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// What to make of suspects.
    #[command(flatten)]
    pub judging: Judging,
}

/// `undying diff`
#[derive(Args, Debug)]
pub struct Diff {
    /// Two snapshots or more, oldest first
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub snapshots: Vec<PathBuf>,
    /// What to make of suspects.
    #[command(flatten)]
    pub judging: Judging,
    /// How many suspects and classes to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `undying why`
#[derive(Args, Debug)]
pub struct Why {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// A class (its dotted name or the end of it) or an object's address
    pub what: String,
    /// Only objects that are not in this earlier snapshot of the same process
    #[arg(long, value_name = "DIR")]
    pub since: Option<PathBuf>,
    /// How many chains to show
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub limit: usize,
}

/// `undying cycles`
#[derive(Args, Debug)]
pub struct Cycles {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// How many shapes to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `undying lives`
#[derive(Args, Debug)]
pub struct Lives {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// How many classes to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `undying refs`
#[derive(Args, Debug)]
pub struct Refs {
    /// A pid or a snapshot's directory; or several directories of one process, oldest first
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<OsString>,
    /// What to make of suspects.
    #[command(flatten)]
    pub judging: Judging,
    /// How many suspects and rows to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `undying top`
#[derive(Args, Debug)]
pub struct Top {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// What to group by
    #[arg(long, value_enum, default_value_t = By::Type)]
    pub by: By,
    /// How many rows to show
    #[arg(short = 'n', long, default_value_t = 30, value_name = "N")]
    pub limit: usize,
}

/// What `top` groups by.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Classes, by their instances' own sizes
    Type,
    /// Objects, by what would be freed if they went
    Dominator,
}

/// `undying run`
#[derive(Args, Debug)]
#[command(override_usage = "undying run [OPTIONS] SCRIPT [ARGUMENTS]...\n       \
                            undying run [OPTIONS] -m MODULE [ARGUMENTS]...\n       \
                            undying run [OPTIONS] -c CODE [ARGUMENTS]...\n       \
                            undying run [OPTIONS] -i [SCRIPT [ARGUMENTS]...]")]
pub struct Run {
    /// PROGRAM is a module, as in python -m
    #[arg(short, conflicts_with = "code", requires = "program")]
    pub module: bool,
    /// PROGRAM is code, as in python -c
    #[arg(short, requires = "program")]
    pub code: bool,
    /// An interactive session, after PROGRAM if one is named: each statement is followed by
    /// what was born, what died and what waits for the collector
    #[arg(short, conflicts_with_all = ["sample", "no_births"])]
    pub interactive: bool,
    /// Tell each birth and each death of this class as it happens (its dotted name or the
    /// end of it; may be repeated)
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["sample", "no_births"])]
    pub follow: Vec<String>,
    /// Record one birth in so many bytes, not every one: numbers are then estimates, and the
    /// program loses hardly any time [BYTES default: 512K]
    #[arg(long, value_name = "BYTES", value_parser = bytes, num_args = 0..=1, require_equals = true,
          default_missing_value = "512K", conflicts_with = "no_births")]
    pub sample: Option<u64>,
    /// Record so many frames of where an object was born [default: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), conflicts_with = "no_births")]
    pub depth: Option<u32>,
    /// Record no births, though the program's Python has the module undying
    #[arg(long)]
    pub no_births: bool,
    /// The interpreter [default: the active virtual environment's, else python3, else python]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Write the report to FILE, not to standard error
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep the snapshot too, for further questions
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// What to make of suspects.
    #[command(flatten)]
    pub judging: Judging,
    /// The program and its arguments, which are left alone
    #[arg(
        required_unless_present = "interactive",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    pub program: Vec<OsString>,
}

/// A size: 1000, 64K, 1M, 2G.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|&n| n > 0);
    number.ok_or_else(|| "give bytes, as 65536 or 64K".to_owned())
}

/// `undying hunt`
#[derive(Args, Debug)]
#[command(override_usage = "undying hunt [OPTIONS] MODULE:CALLABLE [--args LITERAL...]\n       \
                            undying hunt [OPTIONS] --script FILE [--args LITERAL...]")]
pub struct Hunt {
    /// What to call: package.module:function, or package.module:Class.method
    #[arg(value_name = "MODULE:CALLABLE", required_unless_present = "script", conflicts_with = "script")]
    pub callable: Option<String>,
    /// Call step() of this file; its part under if __name__ == "__main__" is not run
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// The arguments of each call, as JSON or Python literals: --args 1 '"text"' name='[2, 3]'
    #[arg(long, value_name = "LITERAL", num_args = 1.., allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// Calls in each round [default: by the time that a call takes, and more while in doubt]
    #[arg(short = 'n', long = "calls", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub calls: Option<u64>,
    /// So long may the calls take, all together
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = positive)]
    pub time: f64,
    /// Watch one object of what leaks through the processor's debug registers while it is
    /// called once more, and name the line of C that lost the reference
    #[arg(long)]
    pub record: bool,
    /// Calls may raise exceptions: what is left behind on the way out is hunted
    #[arg(long)]
    pub expect_errors: bool,
    /// The interpreter [default: the active virtual environment's, else python3, else python]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// What to make of suspects.
    #[command(flatten)]
    pub judging: Judging,
}

/// A time in seconds.
fn positive(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0);
    seconds.ok_or_else(|| "give seconds, as 20 or 0.5".to_owned())
}

/// `undying doctor`
#[derive(Args, Debug)]
pub struct Doctor {
    /// The process
    pub pid: String,
}
