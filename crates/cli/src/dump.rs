//! `undying dump`: a running process to a directory.

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use undying_graph::Facts;
use undying_report::{bytes, count, seconds};
use undying_snapshot::{Counts, Writer, read_meta};

use crate::args::{Common, Dump, Format};
use crate::failure::Failure;
use crate::progress::Bars;
use crate::{VERSION, source};

/// What `dump` did.
#[derive(Serialize)]
struct Dumped<'a> {
    schema: u32,
    command: &'static str,
    path: PathBuf,
    counts: Counts,
    bytes: u64,
    target: &'a Facts,
}

/// Captures and says so in one line.
pub fn dump(args: &Dump, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    let pid = source::pid(&args.pid)?;
    let bars = Bars::new(common.quiet);
    let dest = args.output.clone().unwrap_or_else(|| default_name(pid));
    let mut writer = Writer::create(&dest, common.force, VERSION)?;
    source::capture(pid, &bars, &mut writer)?;
    let summary = writer.commit()?;
    bars.clear();
    let facts = read_meta(&summary.path)?.facts;
    match common.format {
        Format::Text if common.quiet => Ok(()),
        Format::Text => {
            let defects: u64 = facts.defects.values().sum();
            let line = format!(
                "{} objects, {} references; target stood still {}; {}; {} in {}",
                count(summary.counts.objects),
                count(summary.counts.edges),
                seconds(facts.paused_seconds),
                if defects == 0 { "no defects".into() } else { format!("{} defects", count(defects)) },
                bytes(summary.bytes),
                summary.path.display(),
            );
            writeln!(out, "{line}").map_err(Failure::output)
        }
        Format::Json => {
            let Summary { path, counts, bytes } = summary;
            let dumped =
                Dumped { schema: undying_snapshot::SCHEMA, command: "dump", path, counts, bytes, target: &facts };
            serde_json::to_writer_pretty(&mut *out, &dumped).map_err(|e| Failure::output(e.into()))?;
            writeln!(out).map_err(Failure::output)
        }
    }
}

use undying_snapshot::Summary;

/// `undying-PROGRAM.PID.TIME`, in the directory we stand in.
fn default_name(pid: i32) -> PathBuf {
    // The directory is named after what a person would look for: `app.py`, not `python`.
    let program = undying_memory::Process::open(pid).map(|p| p.program()).unwrap_or_default();
    let program = program.rsplit(' ').next().unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    let program: String = program.trim_matches('-').chars().map(plain).collect();
    let program = if program.is_empty() { "python" } else { &program };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    format!("undying-{program}.{pid}.{}", compact_utc(now)).into()
}

/// `20260131T235959Z`
fn compact_utc(unix: u64) -> String {
    let (mut days, second) = (unix / 86_400, unix % 86_400);
    let leap = |y: u64| (y.is_multiple_of(4) && !y.is_multiple_of(100)) || y.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) && year < 9999 {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{:02}T{h:02}{m:02}{s:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use super::compact_utc;

    #[test]
    fn names_carry_the_utc_time() {
        // As date -u -d @N prints them.
        let cases = [(0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_798_761_599, "20261231T235959Z")];
        cases.into_iter().for_each(|(unix, text)| assert_eq!(compact_utc(unix), text));
    }
}
