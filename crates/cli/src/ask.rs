//! The questions: a heap in, an answer out, as text or as JSON.  Each command is
//! one call into the analyses and one into a writer.

use std::io::{self, Write};

use serde::Serialize;
use undying_graph::{Progress, Snapshot};
use undying_report::Style;

use crate::args::{Common, Cycles, Report, Top, Why};
use crate::fail_on::FailOn;
use crate::failure::Failure;

/// The answer of `report`.
#[derive(Serialize)]
pub struct Reported {}

impl Reported {
    pub fn of(_snapshot: &Snapshot, _progress: &dyn Progress) -> Result<Reported, Failure> {
        Ok(Reported {})
    }
    pub fn write(&self, _out: &mut dyn Write, _common: &Common, _style: &Style) -> io::Result<()> {
        Ok(())
    }
    pub fn is_named(&self, _fail_on: &[FailOn]) -> bool {
        false
    }
}

pub fn report(_args: &Report, _common: &Common, _out: &mut dyn Write) -> Result<bool, Failure> {
    Ok(false)
}
pub fn why(_args: &Why, _common: &Common, _out: &mut dyn Write) -> Result<(), Failure> {
    Ok(())
}
pub fn cycles(_args: &Cycles, _common: &Common, _out: &mut dyn Write) -> Result<(), Failure> {
    Ok(())
}
pub fn top(_args: &Top, _common: &Common, _out: &mut dyn Write) -> Result<(), Failure> {
    Ok(())
}
