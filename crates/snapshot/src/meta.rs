//! `meta.json`: the target and the circumstances of the capture, readable
//! without any table.  Knows JSON and dates, no Parquet.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use undying_graph::{Births, CheckpointRow, Facts, Labels};

use crate::error::ReadError;
use crate::schema::{META, SCHEMA};

/// No `meta.json` is longer; a longer one is not read.
const MAX_BYTES: u64 = 16 << 20;

/// Rows of each table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Objects.
    pub objects: u64,
    /// References in `edges.parquet`, weak ones included.
    pub edges: u64,
    /// References in `untraversed.parquet`.
    #[serde(default)]
    pub untraversed: u64,
    /// Classes.
    pub types: u64,
    /// References from outside the heap.
    pub roots: u64,
    /// Objects' own names.
    pub names: u64,
    /// Stretches of the address space.
    pub regions: u64,
    /// Objects whose birth was recorded.
    #[serde(default)]
    pub births: u64,
    /// Lines of functions under their callers.
    #[serde(default)]
    pub places: u64,
    /// Classes that died, by place.
    #[serde(default)]
    pub deaths: u64,
    /// Objects that stand for something native.
    #[serde(default)]
    pub wrappers: u64,
}

/// What `meta.json` says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Meta {
    /// The number of the schema.
    pub schema: u32,
    /// The version of undying that wrote it.
    pub undying: String,
    /// When it was captured: UTC, ISO 8601 (`2026-01-31T12:00:00.000000Z`).
    pub captured_at: String,
    /// Rows of each table.
    pub counts: Counts,
    /// What is known of the births as a whole, where somebody recorded them.
    pub births: Option<RecordedMeta>,
    /// The target.
    pub facts: Facts,
}

/// Who recorded births, and how.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct RecordedMeta {
    /// The name of an [`undying_graph::Recorder`].
    pub recorder: String,
    /// Mean bytes from one sample to the next; 0 where every block is recorded.
    #[serde(default)]
    pub sample_bytes: u64,
    /// Births that could not be kept.
    #[serde(default)]
    pub lost: u64,
    /// The epoch under way.
    #[serde(default)]
    pub epoch: u32,
    /// Moments with a name, oldest first.
    #[serde(default)]
    pub checkpoints: Vec<CheckpointMeta>,
}

/// A moment with a name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CheckpointMeta {
    /// The name.
    pub name: String,
    /// The first epoch after it.
    pub epoch: u32,
    /// Seconds since 1970.
    pub at: f64,
}

impl RecordedMeta {
    /// Of these births.
    pub(crate) fn of(births: &Births, labels: &Labels) -> RecordedMeta {
        let finite = |at: f64| if at.is_finite() { at } else { 0.0 };
        let moment =
            |c: &CheckpointRow| CheckpointMeta { name: labels.text(c.name).into(), epoch: c.epoch, at: finite(c.at) };
        RecordedMeta {
            recorder: births.recorder.name().into(),
            sample_bytes: births.sample_bytes,
            lost: births.lost,
            epoch: births.epoch,
            checkpoints: births.checkpoints.iter().map(moment).collect(),
        }
    }
}

/// The front of the file: what must be understood before the rest is.
#[derive(Serialize, Deserialize)]
struct Front {
    schema: u32,
    undying: String,
    captured_at: String,
    counts: Counts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    births: Option<RecordedMeta>,
}

/// Reads `meta.json` alone: quick, whatever the heap's size.
pub fn read_meta(dir: &Path) -> Result<Meta, ReadError> {
    let path = dir.join(META);
    let mut text = String::new();
    let not_ours = |why: &str| ReadError::NotASnapshot { path: dir.into(), why: why.into() };
    let file = File::open(&path).map_err(|why| match why.kind() {
        ErrorKind::NotFound if dir.is_dir() => not_ours("it has no meta.json"),
        ErrorKind::NotFound => not_ours("there is no such directory"),
        ErrorKind::NotADirectory => not_ours("it is not a directory"),
        _ => ReadError::Io { path: path.clone(), why },
    })?;
    match file.take(MAX_BYTES + 1).read_to_string(&mut text) {
        Ok(n) if n as u64 > MAX_BYTES => {
            return Err(ReadError::damaged(META, "longer than any that undying writes"));
        }
        Ok(_) => {}
        Err(why) if why.kind() == ErrorKind::InvalidData => {
            return Err(ReadError::damaged(META, why));
        }
        Err(why) => return Err(ReadError::Io { path, why }),
    }
    parse(&text)
}

fn parse(text: &str) -> Result<Meta, ReadError> {
    let value: Value = serde_json::from_str(text).map_err(|e| ReadError::damaged(META, e))?;
    match value.get("schema").and_then(Value::as_u64) {
        None | Some(0) => return Err(ReadError::damaged(META, "it names no schema")),
        Some(schema) if schema > SCHEMA as u64 => {
            return Err(ReadError::Newer { schema, ours: SCHEMA });
        }
        Some(_) => {}
    }
    let front = Front::deserialize(&value).map_err(|e| ReadError::damaged(META, e))?;
    let Value::Object(mut rest) = value else {
        return Err(ReadError::damaged(META, "not an object"));
    };
    let seconds = rest.remove("captured_unix").unwrap_or(Value::from(0.0));
    rest.insert("captured_at".into(), seconds);
    let facts = Facts::deserialize(Value::Object(rest)).map_err(|e| ReadError::damaged(META, e))?;
    let Front { schema, undying, captured_at, counts, births } = front;
    Ok(Meta { schema, undying, captured_at, counts, births, facts })
}

/// The text of `meta.json`.
pub(crate) fn to_text(
    undying: &str,
    counts: Counts,
    births: Option<RecordedMeta>,
    facts: &Facts,
) -> serde_json::Result<String> {
    let mut facts = facts.clone();
    // JSON has no number for these.
    for seconds in [&mut facts.captured_at, &mut facts.paused_seconds] {
        if !seconds.is_finite() {
            *seconds = 0.0;
        }
    }
    let captured_at = iso_8601(facts.captured_at);
    let front = Front { schema: SCHEMA, undying: undying.into(), captured_at, counts, births };
    let mut all = Map::new();
    if let Value::Object(mut rest) = serde_json::to_value(&facts)? {
        if let Some(seconds) = rest.remove("captured_at") {
            rest.insert("captured_unix".into(), seconds);
        }
        all.append(&mut rest);
    }
    if let Value::Object(mut front) = serde_json::to_value(&front)? {
        all.append(&mut front);
    }
    serde_json::to_string_pretty(&all).map(|text| text + "\n")
}

/// Seconds since 1970 as UTC in ISO 8601, with microseconds.
fn iso_8601(seconds: f64) -> String {
    // Years 1 to 9999, so that a date always has four digits.
    let micros = (seconds.clamp(-62_135_596_800.0, 253_402_300_799.0) * 1e6).round() as i64;
    let (s, micro) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, s) = (s.div_euclid(86_400), s.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{micro:06}Z")
}

/// Year, month and day of a day number, 0 being 1970-01-01 (Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 1 March of the year 0, so that a leap day ends its year.
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // Twin: count the days one by one.
        let (mut y, mut m, mut d) = (1970, 1, 1);
        for n in 0..60_000 {
            assert_eq!(civil(n), (y, m, d));
            let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
            let length = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m as usize - 1];
            d += 1;
            if d > length {
                (m, d) = (m + 1, 1);
            }
            if m > 12 {
                (y, m) = (y + 1, 1);
            }
        }
        assert_eq!(iso_8601(0.25), "1970-01-01T00:00:00.250000Z");
        assert_eq!(iso_8601(1_000_000_000.0), "2001-09-09T01:46:40.000000Z");
        assert_eq!(iso_8601(-1.0), "1969-12-31T23:59:59.000000Z");
        assert_eq!(iso_8601(f64::INFINITY), "9999-12-31T23:59:59.000000Z");
    }
}
