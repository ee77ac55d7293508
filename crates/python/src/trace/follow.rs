//! One line at each birth and death of a class that is followed, at once and past
//! Python's own streams: the program may be in the middle of anything.

use undying_lives::format::Record;
use undying_lives::{End, Ledger};

fn say(line: &str) {
    use std::io::Write;
    // standard error may be closed; the program goes on all the same
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn class(ledger: &Ledger, number: u32) -> &str {
    ledger.class_row(number).map_or("", |class| ledger.words(class.name))
}

/// As the essay says it, and where.
pub fn born(ledger: &Ledger, number: u32, object: u64, birth: Record) {
    let place = ledger.place_row(birth.place.wrapping_sub(1));
    let code = place.and_then(|p| ledger.code_row(p.code)).filter(|c| c.hidden == 0);
    let at = match (place, code) {
        (Some(place), Some(code)) => {
            let (file, name) = (ledger.words(code.file), ledger.words(code.name));
            format!(", {file}:{} in {name}", place.line)
        }
        _ => String::new(),
    };
    say(&format!("{} with id {object} born here{at}.\n", class(ledger, number)));
}

/// The same of a death.
pub fn dead(ledger: &Ledger, number: u32, object: u64, end: End) {
    let how = match end {
        End::Count => "its last reference went",
        End::Collector => "the collector found it",
    };
    say(&format!("{} with id {object} dead here, {how}.\n", class(ledger, number)));
}
