//! A verdict with its names, in plain structures: what is written as JSON and what a view
//! shows.  Nothing is judged here.

use serde::Serialize;
use undying_graph::{Change, NativeFrame, PythonFrame};

use super::{Entry, Hand, Mistake, Part, Site, Verdict};

/// What was recorded of one object.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recorded {
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its address.
    pub address: u64,
    /// Calls that were made meanwhile.
    pub calls: u64,
    /// Every change until the last call's end is there.
    pub complete: bool,
    /// Changes of its count.
    pub changes: usize,
    /// `kept` or `released`; `None` where everything is answered.
    pub mistake: Option<&'static str>,
    /// Where, the most suspicious first.
    pub sites: Vec<SiteTold>,
    /// Lines of Python at which the interpreter took or gave up what nothing answers.
    pub python: Vec<String>,
    /// Every change, in order.
    pub history: Vec<ChangeTold>,
}

/// A place in native code.
#[derive(Clone, Debug, Serialize)]
pub struct SiteTold {
    /// The function, where it has a name.
    pub function: Option<String>,
    /// Its library.
    pub library: String,
    /// The source file, where there is debug information.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The interpreter's function that it called to do it.
    pub through: Option<String>,
    /// It made the object.
    pub birth: bool,
    /// The line of Python that called.
    pub python: Option<String>,
    /// How often.
    pub count: usize,
    /// How the function came to do it, innermost first.
    pub frames: Vec<FrameTold>,
}

/// A native frame.
#[derive(Clone, Debug, Serialize)]
pub struct FrameTold {
    /// The function, where it has a name.
    pub function: Option<String>,
    /// Its library.
    pub library: String,
    /// The source file, where there is debug information.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// A part of the frame that follows.
    pub inlined: bool,
}

/// One change of the count.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeTold {
    /// Its number.
    pub number: usize,
    /// What it is: `born`, `died`, `+1`, `-2`, `other`.
    pub what: String,
    /// The count after it.
    pub count: u64,
    /// Who made it.
    pub by: String,
    /// The line of Python that ran.
    pub python: Option<String>,
    /// The number of the change that answers it.
    pub answer: Option<usize>,
    /// It is what the verdict is about.
    pub accused: bool,
}

/// A verdict with the names of the changes that it was made of.  What is not known here
/// (type, address, calls, whether all was recorded) is left empty.
pub fn told(verdict: &Verdict, changes: &[Change]) -> Recorded {
    let python = verdict.python.iter().map(|(frame, _)| line(frame));
    let history = verdict.history.iter().filter_map(|e| Some(change(e, changes.get(e.change)?)));
    Recorded {
        changes: verdict.history.len(),
        mistake: verdict.mistake.map(|m| match m {
            Mistake::Kept => "kept",
            Mistake::Released => "released",
        }),
        sites: verdict.sites.iter().map(site).collect(),
        python: python.collect(),
        history: history.collect(),
        ..Recorded::default()
    }
}

/// A native frame with its names.
pub fn native(frame: &NativeFrame) -> FrameTold {
    FrameTold {
        function: frame.function.as_deref().map(str::to_owned),
        library: frame.library.to_string(),
        file: frame.file.as_deref().map(str::to_owned),
        line: frame.line,
        inlined: frame.inlined,
    }
}

fn site(site: &Site) -> SiteTold {
    let FrameTold { function, library, file, line: at, .. } = native(&site.frame);
    SiteTold {
        function,
        library,
        file,
        line: at,
        through: site.through.as_deref().map(str::to_owned),
        birth: site.birth,
        python: site.python.as_ref().map(line),
        count: site.count,
        frames: site.chain.iter().map(native).collect(),
    }
}

fn change(entry: &Entry, change: &Change) -> ChangeTold {
    ChangeTold {
        number: entry.change,
        what: match entry.part {
            Part::Birth => "born".to_owned(),
            Part::Death => "died".to_owned(),
            Part::Taken | Part::GivenUp => format!("{:+}", change.delta()),
            Part::Other => "other".to_owned(),
        },
        // what is no count may be anything: a free block's link, for one
        count: if entry.part == Part::Other { 0 } else { change.after },
        by: by(entry, change),
        python: change.python.first().map(line),
        answer: entry.answer,
        accused: entry.accused,
    }
}

/// The function that had a hand in it: native code's own, else the interpreter's.
fn by(entry: &Entry, change: &Change) -> String {
    let named = |f: &&NativeFrame| f.function.is_some();
    let theirs = || change.native.iter().filter(|f| !f.interpreter && !f.inlined).find(named);
    let ours = || change.native.iter().filter(|f| f.interpreter && !f.inlined).find(named);
    let frame = if entry.hand == Hand::Interpreter { ours() } else { theirs().or_else(ours) };
    frame.and_then(|f| f.function.as_deref()).unwrap_or("?").to_owned()
}

/// `file:line in function`.
fn line(frame: &PythonFrame) -> String {
    format!("{}:{} in {}", frame.file, frame.line, frame.function)
}
