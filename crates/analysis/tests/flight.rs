//! Changes made up by a small machine that knows the truth: functions of native code that
//! make, keep, return and give up references, an interpreter around them, and one function
//! with a mistake.  The verdict has to name that one, and nobody where there is none.

use std::sync::Arc;

use proptest::prelude::*;
use undying_analysis::flight::{Mistake, Part, Verdict, verdict};
use undying_graph::{Change, NativeFrame, PythonFrame};

const LIBRARY: &str = "/x/planted.so";
const PYTHON: &str = "/x/libpython3.so";
/// Where the frames of the evaluation and of what it calls end.
const EVALUATION: u64 = 0x9000;
const CALL: u64 = 0x8000;

/// Writes down changes as a recording would have them.
struct Machine {
    changes: Vec<Change>,
    count: u64,
    /// The first change of the call that runs.
    entered: usize,
}

fn frame(function: &str, line: u32, stack: u64, interpreter: bool) -> NativeFrame {
    let place = function.bytes().fold(u64::from(line), |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
    NativeFrame {
        address: place,
        stack,
        function: Some(function.into()),
        library: if interpreter { PYTHON } else { LIBRARY }.into(),
        file: Some(if interpreter { "Objects/x.c" } else { "planted.c" }.into()),
        line: Some(line),
        inlined: false,
        interpreter,
    }
}

impl Machine {
    fn new(count: u64) -> Machine {
        Machine { changes: Vec::new(), count, entered: 0 }
    }

    fn change(&mut self, after: u64, mut frames: Vec<NativeFrame>, line: u32) {
        frames.push(frame("_PyEval_EvalFrameDefault", 1, EVALUATION, true));
        frames.push(frame("main", 1, EVALUATION + 64, true));
        let python = [PythonFrame { function: "step".into(), file: "step.py".into(), line }];
        let (before, native) = (self.count, Arc::from(frames));
        self.changes.push(Change {
            object: 0,
            thread: 1,
            before,
            after,
            returned: None,
            native,
            python: Arc::new(python),
        });
        self.count = after;
    }

    fn by(&mut self, step: i64, frames: Vec<NativeFrame>) {
        self.change(self.count.wrapping_add_signed(step), frames, 5);
    }

    /// The evaluation itself.
    fn python(&mut self, step: i64) {
        self.by(step, Vec::new());
    }

    /// A function of the interpreter that the evaluation called, as a container's end.
    fn container(&mut self, step: i64) {
        self.by(step, vec![frame("list_dealloc", 1, CALL, true)]);
    }

    /// Native code by itself.
    fn native(&mut self, function: &str, line: u32, step: i64) {
        self.by(step, vec![frame(function, line, CALL, false), frame("cfunction_call", 1, CALL + 64, true)]);
    }

    /// A function of the interpreter that native code called.
    fn through(&mut self, function: &str, line: u32, called: &str, after: u64) {
        let inner = frame(called, 1, CALL - 64, true);
        let frames = vec![inner, frame(function, line, CALL, false), frame("cfunction_call", 1, CALL + 64, true)];
        self.change(after, frames, 5);
    }

    /// The call that ran is over.
    fn leave(&mut self, returned: Option<bool>) {
        for change in &mut self.changes[self.entered..] {
            if change.native.iter().any(|f| &*f.library == LIBRARY) {
                change.returned = returned;
            }
        }
        self.entered = self.changes.len();
    }

    fn verdict(&self) -> Verdict {
        verdict(&self.changes, 0)
    }
}

fn guilty(found: &Verdict) -> Option<(&str, u32)> {
    let site = found.guilty()?;
    Some((site.frame.function.as_deref()?, site.frame.line?))
}

#[test]
fn an_item_that_its_maker_keeps_after_a_list_took_it() {
    let mut m = Machine::new(0x7f00_0000_1000);
    m.through("split", 24, "PyUnicode_FromStringAndSize", 1);
    m.through("split", 29, "PyList_Append", 2);
    m.leave(Some(false));
    m.python(1);
    m.python(-1);
    m.container(-1);
    let found = m.verdict();
    assert_eq!((found.mistake, found.net, guilty(&found)), (Some(Mistake::Kept), 1, Some(("split", 24))));
    assert!(found.guilty().unwrap().birth);
    assert_eq!(found.history[1].answer, Some(4));
    assert_eq!((found.history[0].part, found.history[0].accused, found.history[0].answer), (Part::Birth, true, None));
    // with the line that gives it up, all is answered
    let mut m = Machine::new(0);
    m.through("split", 24, "PyUnicode_FromStringAndSize", 1);
    m.through("split", 29, "PyList_Append", 2);
    m.native("split", 30, -1);
    m.container(-1);
    assert_eq!((m.verdict().mistake, m.count), (None, 0));
}

#[test]
fn a_decrement_of_what_was_borrowed() {
    let mut m = Machine::new(50);
    for _ in 0..4 {
        m.python(1);
        m.native("has", 19, -1);
        m.leave(Some(false));
        m.python(-1);
    }
    let found = m.verdict();
    assert_eq!((found.mistake, found.net, guilty(&found)), (Some(Mistake::Released), -4, Some(("has", 19))));
    assert_eq!(found.guilty().unwrap().count, 4);
}

#[test]
fn an_object_that_vanishes_while_a_container_has_it() {
    let mut m = Machine::new(0);
    m.python(1);
    m.python(1);
    m.native("peek", 7, -1);
    m.container(-1);
    let found = m.verdict();
    assert_eq!((found.mistake, found.net, guilty(&found)), (Some(Mistake::Released), 0, Some(("peek", 7))));
    assert_eq!(found.history.last().unwrap().part, Part::Death);
}

#[test]
fn a_stolen_reference_has_a_line_of_python_only() {
    let mut m = Machine::new(9);
    m.python(1);
    m.python(-1);
    m.container(-1);
    let found = m.verdict();
    assert_eq!((found.mistake, found.sites.len()), (Some(Mistake::Released), 0));
    assert_eq!((found.python[0].0.line, found.python[0].1), (5, 1));
}

#[test]
fn headers_laid_into_a_function_are_not_accused() {
    let mut m = Machine::new(3);
    let header = |function, file: &str| NativeFrame {
        file: Some(file.into()),
        inlined: true,
        ..frame(function, 8, CALL, false)
    };
    let frames = vec![
        header("Py_INCREF", "/usr/include/python3.11/object.h"),
        header("inc_ref", "/e/site-packages/pybind11/include/pybind11/pytypes.h"),
        NativeFrame { inlined: true, ..frame("label", 20, CALL, false) },
        header("operator()", "/e/site-packages/pybind11/include/pybind11/pybind11.h"),
        NativeFrame {
            file: Some("/e/site-packages/pybind11/include/pybind11/pybind11.h".into()),
            ..frame("dispatcher", 9, CALL, false)
        },
    ];
    m.by(2, frames);
    m.python(-1);
    let found = m.verdict();
    assert_eq!(guilty(&found), Some(("label", 20)));
    assert_eq!(found.guilty().unwrap().chain.len(), 5);
}

#[test]
fn several_objects_at_one_address_are_judged_apart() {
    let mut m = Machine::new(0x1000);
    for life in 0..3 {
        m.through("make", 3, "PyUnicode_New", 1);
        m.leave(Some(life < 2));
        if life < 2 {
            m.container(-1);
            // the allocator links the free block, or somebody else has it for a while
            let other = if life == 0 { 0x7f00_0000_2000 } else { 77 };
            m.change(other, vec![frame("_PyObject_Free", 1, CALL, true)], 6);
        }
    }
    let found = m.verdict();
    assert_eq!((found.mistake, found.net, guilty(&found)), (Some(Mistake::Kept), 1, Some(("make", 3))));
    assert_eq!(found.history.iter().filter(|e| e.part == Part::Birth).count(), 3);
    assert_eq!(found.history.iter().filter(|e| e.accused).count(), 1);
    assert!(verdict(&[], 0).mistake.is_none() && verdict(&m.changes, 1).history.is_empty());
}

/// What the script of a test does next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Python loads and drops the object.
    Touch,
    /// A getter returns it to a variable, which lives on for a while.
    Get,
    /// The oldest variable is dropped.
    Forget,
    /// A function takes and gives up a reference.
    Temporary,
    /// A function puts it into a list that Python drops later.
    Append,
    /// The oldest of these lists is dropped.
    DropList,
    /// A function keeps it between calls, another one gives it up.
    Keep,
    Drop,
    /// The one with the mistake.
    Bad,
}

/// The mistake.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bad {
    None,
    TakesAndReturnsNothing,
    TakesTwoAndReturnsOne,
    GivesUpWhatItNeverTook,
    GivesUpTwice,
}

fn act(m: &mut Machine, act: Act, bad: Bad, held: &mut [usize; 3], known: bool) {
    let seen = |returned| known.then_some(returned);
    let [variables, lists, kept] = held;
    match act {
        Act::Touch => (m.python(1), m.python(-1)).0,
        Act::Get => {
            m.native("get", 11, 1);
            m.leave(seen(true));
            *variables += 1;
        }
        Act::Forget if *variables > 0 => {
            *variables -= 1;
            m.python(-1);
        }
        Act::Temporary => {
            m.native("temporary", 21, 1);
            m.native("temporary", 22, -1);
            m.leave(seen(false));
        }
        Act::Append => {
            m.through("append", 31, "PyList_Append", m.count + 1);
            m.leave(seen(false));
            *lists += 1;
        }
        Act::DropList if *lists > 0 => {
            *lists -= 1;
            m.container(-1);
        }
        Act::Keep => {
            m.native("keep", 41, 1);
            m.leave(seen(false));
            *kept += 1;
        }
        Act::Drop if *kept > 0 => {
            *kept -= 1;
            m.native("drop", 51, -1);
            m.leave(seen(false));
        }
        Act::Bad => wrong(m, bad, variables, known),
        Act::Forget | Act::DropList | Act::Drop => {}
    }
}

fn wrong(m: &mut Machine, bad: Bad, variables: &mut usize, known: bool) {
    let seen = |returned| known.then_some(returned);
    match bad {
        Bad::None => {}
        Bad::TakesAndReturnsNothing => {
            m.native("bad", 91, 1);
            m.leave(seen(false));
        }
        Bad::TakesTwoAndReturnsOne => {
            m.native("bad", 91, 1);
            m.native("bad", 92, 1);
            m.leave(seen(true));
            *variables += 1;
        }
        Bad::GivesUpWhatItNeverTook => {
            m.native("bad", 91, -1);
            m.leave(seen(false));
        }
        Bad::GivesUpTwice => {
            m.native("bad", 91, 1);
            m.native("bad", 92, -1);
            m.native("bad", 93, -1);
            m.leave(seen(false));
        }
    }
}

/// Everything that the script still holds is given up.
fn end(m: &mut Machine, mut held: [usize; 3]) {
    while held.iter().sum::<usize>() > 0 {
        for last in [Act::Forget, Act::DropList, Act::Drop] {
            act(m, last, Bad::None, &mut held, true);
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let any = prop_oneof![
        3 => Just(Act::Touch), 3 => Just(Act::Get), 3 => Just(Act::Forget), 2 => Just(Act::Temporary),
        2 => Just(Act::Append), 2 => Just(Act::DropList), 1 => Just(Act::Keep), 1 => Just(Act::Drop),
        2 => Just(Act::Bad),
    ];
    prop::collection::vec(any, 1..60)
}

fn bads() -> impl Strategy<Value = Bad> {
    prop_oneof![
        Just(Bad::TakesAndReturnsNothing),
        Just(Bad::TakesTwoAndReturnsOne),
        Just(Bad::GivesUpWhatItNeverTook),
        Just(Bad::GivesUpTwice),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nobody_is_accused_where_nothing_is_wrong(acts in acts(), known in any::<bool>()) {
        let (mut m, mut held) = (Machine::new(1000), [0; 3]);
        acts.iter().for_each(|&a| act(&mut m, a, Bad::None, &mut held, known));
        end(&mut m, held);
        let found = m.verdict();
        prop_assert_eq!((found.mistake, found.net, found.sites.len()), (None, 0, 0));
        prop_assert!(found.history.iter().all(|e| e.answer.is_some() && !e.accused));
    }

    /// Without those that keep between calls: of these, any one may be meant.
    #[test]
    fn the_one_with_the_mistake_is_named(acts in acts(), bad in bads()) {
        let (mut m, mut held) = (Machine::new(1000), [0; 3]);
        act(&mut m, Act::Bad, bad, &mut held, true);
        acts.iter().filter(|a| !matches!(a, Act::Keep | Act::Drop)).for_each(|&a| act(&mut m, a, bad, &mut held, true));
        end(&mut m, held);
        let found = m.verdict();
        let expected = match bad {
            Bad::TakesAndReturnsNothing | Bad::TakesTwoAndReturnsOne => Mistake::Kept,
            _ => Mistake::Released,
        };
        prop_assert_eq!(found.mistake, Some(expected));
        prop_assert_eq!(guilty(&found).map(|g| g.0), Some("bad"), "{:?}", found);
        prop_assert!(found.sites.iter().all(|s| s.frame.function.as_deref() == Some("bad")));
    }

    #[test]
    fn what_cannot_be_is_no_harm(
        rows in prop::collection::vec((0..3usize, 0..4i32, any::<u64>(), any::<u64>(), 0..6usize), 0..200),
    ) {
        let mut m = Machine::new(5);
        for (object, thread, before, after, frames) in rows {
            let names = ["a", "_Py_Dealloc", "PyList_Append", "b", "_PyEval_EvalFrameDefault"];
            let stack = names[..frames.min(5)].iter().map(|n| frame(n, 1, before % 7, after % 2 == 0)).collect();
            m.change(after >> (before % 64), stack, 0);
            let last = m.changes.last_mut().unwrap();
            (last.object, last.thread, last.before) = (object, thread, before >> (after % 64));
        }
        for object in 0..4 {
            let found = verdict(&m.changes, object);
            prop_assert_eq!(found.history.len(), m.changes.iter().filter(|c| c.object == object).count());
        }
    }
}
