//! Shapes of cycles and the advice for each, on heaps written by hand in both
//! forms that instances have, and what holds for any heap.
#![allow(missing_docs)]

mod world;

use proptest::prelude::*;
use undying_analysis::{
    CycleLimits, CycleShape, CycleState, Cycles, Intermediates, Pattern, Query, StepKind, advice_text, answer, naming,
};
use undying_graph::{EdgeKind, Flags, NodeId, Origin, RootKind, Silent, Snapshot};
use world::{Form, World, any_snapshot};

fn look(s: &Snapshot) -> Cycles {
    let undying_analysis::Answer::Cycles(c) =
        answer(s, &Query::Cycles, &mut Intermediates::default(), &Silent).unwrap()
    else {
        panic!("another answer")
    };
    c
}

fn only(s: &Snapshot) -> CycleShape {
    let mut c = look(s);
    assert_eq!(c.shapes.len(), 1, "{:#?}", c.shapes);
    c.shapes.remove(0)
}

/// Builds a heap in both forms and looks at its one cycle: text, pattern, the
/// edge to cut.
fn both(build: impl Fn(&mut World)) -> (String, Pattern, String) {
    let mut seen = Vec::new();
    for form in [Form::Inline, Form::Dict] {
        let mut w = World::new(form);
        build(&mut w);
        let s = w.snapshot();
        let shape = only(&s);
        let text = naming::cycle_text(&s, &shape.cycle.steps);
        let advice = advice_text(&s, &shape.cycle);
        assert!(!advice.why.contains('{') && !advice.cure.contains('{'), "{advice:?}");
        seen.push((text, shape.cycle.advice.pattern, advice.edge));
    }
    assert_eq!(seen[0], seen[1], "inline values and a dictionary read the same");
    seen.remove(0)
}

fn told(text: &str, pattern: Pattern, edge: &str) -> (String, Pattern, String) {
    (text.to_string(), pattern, edge.to_string())
}

#[test]
fn mutual_attributes() {
    let got = both(|w| {
        let (a, b) = (w.new_object("__main__.LeakTest"), w.new_object("__main__.LeakTest"));
        w.attr(a, "b", b);
        w.attr(b, "a", a);
    });
    assert_eq!(got, told("LeakTest —.b→ LeakTest —.a→ LeakTest", Pattern::Mutual, "LeakTest.a"));
}

#[test]
fn self_reference() {
    let got = both(|w| {
        let a = w.new_object("__main__.LeakTest");
        w.attr(a, "me", a);
    });
    assert_eq!(got, told("LeakTest —.me→ LeakTest", Pattern::SelfReference, "LeakTest.me"));
}

#[test]
fn a_list_of_itself() {
    let got = both(|w| {
        let a = w.new_object("list");
        w.item(a, 0, a);
    });
    assert_eq!(got, told("list —[0]→ list", Pattern::SelfReference, "list[0]"));
}

#[test]
fn back_pointer_by_name_or_by_shape() {
    for (down, up) in [("children", "parent"), ("zoo", "_parent"), ("kids", "of"), ("a", "tree_root")] {
        let got = both(|w| {
            let (p, c, list) = (w.new_object("app.Tree"), w.new_object("app.Leaf"), w.new_object("list"));
            w.attr(p, down, list);
            w.item(list, 3, c);
            w.attr(c, up, p);
        });
        let text = format!("Tree —.{down}→ list —[3]→ Leaf —.{up}→ Tree");
        assert_eq!(got, told(&text, Pattern::BackPointer, &format!("Leaf.{up}")));
    }
}

#[test]
fn own_container() {
    let got = both(|w| {
        let (r, list) = (w.new_object("lib.Response"), w.new_object("list"));
        w.attr(r, "history", list);
        w.item(list, 2, r);
    });
    assert_eq!(got, told("Response —.history→ list —[2]→ Response", Pattern::OwnContainer, "list[2]"));
}

#[test]
fn bound_method() {
    let got = both(|w| {
        let (a, m) = (w.new_object("app.Button"), w.new_object("method"));
        w.attr(a, "callback", m);
        w.field(m, "__self__", a);
    });
    assert_eq!(got, told("Button —.callback→ method —.__self__→ Button", Pattern::BoundMethod, "Button.callback"));
}

#[test]
fn closure_over_the_owner() {
    let got = both(|w| {
        let (a, f) = (w.new_object("app.Button"), w.new_object("function"));
        w.attr(a, "on_click", f);
        w.closure(f, "self", a);
    });
    let text = "Button —.on_click→ function —closure self→ cell self —cell→ Button";
    assert_eq!(got, told(text, Pattern::Closure, "function closure self"));
}

#[test]
fn a_function_that_calls_itself() {
    let got = both(|w| {
        let f = w.new_object("function");
        w.name(f, "__main__.outer.<locals>.fact");
        w.closure(f, "fact", f);
    });
    assert_eq!(got.1, Pattern::Closure);
    assert!(got.0.starts_with("function __main__.outer.<locals>.fact —closure fact→"), "{}", got.0);
}

#[test]
fn exception_traceback_frame() {
    let got = both(|w| {
        let (e, tb, f) = (w.new_object("ValueError"), w.new_object("traceback"), w.new_object("frame"));
        w.name(f, "run_job");
        w.field(e, "__traceback__", tb);
        w.field(tb, "tb_frame", f);
        w.local(f, "e", e);
    });
    let text = "ValueError —.__traceback__→ traceback —.tb_frame→ frame run_job —local e→ ValueError";
    assert_eq!(got, told(text, Pattern::Traceback, "frame run_job local e"));
}

#[test]
fn a_traceback_kept_in_a_local_of_its_own_frame() {
    let got = both(|w| {
        let (tb, f) = (w.new_object("traceback"), w.new_object("frame"));
        w.name(f, "run_job");
        w.field(tb, "tb_frame", f);
        w.local(f, "tb", tb);
    });
    assert_eq!((got.1, got.2.as_str()), (Pattern::Traceback, "frame run_job local tb"));
}

#[test]
fn a_generator_held_by_its_own_local() {
    let got = both(|w| {
        let (g, me) = (w.new_object("generator"), w.new_object("app.Job"));
        w.local(g, "self", me);
        w.attr(me, "steps", g);
    });
    assert_eq!(got, told("Job —.steps→ generator —local self→ Job", Pattern::Generator, "generator local self"));
}

#[test]
fn a_class_made_in_a_function() {
    let got = both(|w| _ = w.class_object("app.make.<locals>.Made"));
    assert_eq!(got.1, Pattern::Class);
}

#[test]
fn an_unknown_shape_names_an_attribute() {
    let got = both(|w| {
        let (a, d) = (w.new_object("app.A"), w.new_object("dict"));
        let b = w.new_object("app.B");
        w.attr(a, "x", d);
        w.value(d, 0, b);
        w.value(d, 1, a);
        w.plain(b, EdgeKind::Native, d);
    });
    assert_eq!(got.1, Pattern::OwnContainer);
    let got = both(|w| {
        let (a, d) = (w.new_object("app.A"), w.new_object("app.B"));
        w.attr(a, "x", d);
        w.plain(d, EdgeKind::Native, a);
    });
    assert_eq!((got.1, got.2.as_str()), (Pattern::Other, "A.x"));
}

#[test]
fn equal_cycles_are_one_row_and_rings_of_any_length_too() {
    let mut w = World::new(Form::Dict);
    let mut owned = 0;
    for i in 0..50 {
        let (a, b) = (w.new_object("app.A"), w.new_object("app.A"));
        // Whichever is first in memory.
        let (a, b) = if i % 2 == 0 { (a, b) } else { (b, a) };
        w.attr(a, "left", b);
        w.attr(b, "right", a);
        let text = w.string();
        w.attr(a, "text", text);
        owned += 5;
    }
    for n in [3, 4, 9] {
        let ring: Vec<NodeId> = (0..n).map(|_| w.new_object("app.Link")).collect();
        for i in 0..n {
            w.attr(ring[i], "next", ring[(i + 1) % n]);
        }
    }
    let s = w.snapshot();
    let c = look(&s);
    assert_eq!(c.garbage_knots, 53);
    let rows: Vec<(u64, u64, u64)> = c.shapes.iter().map(|r| (r.count, r.objects, r.instances)).collect();
    assert_eq!(rows, [(50, owned, 100), (3, 2 * 16, 16)]);
    assert_eq!(c.shapes[0].bytes, owned * 64);
    let ring = &c.shapes[1].cycle.steps;
    assert_eq!((ring.len(), ring[0].kind, ring[0].times), (1, StepKind::Attr, 3));
}

#[test]
fn other_cycles_of_a_knot_are_told_beside_the_first() {
    let mut w = World::new(Form::Inline);
    let (a, b) = (w.new_object("app.A"), w.new_object("app.B"));
    w.attr(a, "me", a);
    w.attr(a, "b", b);
    w.attr(b, "owner", a);
    let s = w.snapshot();
    let shape = only(&s);
    assert_eq!(naming::cycle_text(&s, &shape.cycle.steps), "A —.me→ A");
    let others: Vec<String> = shape.others.iter().map(|c| naming::cycle_text(&s, &c.steps)).collect();
    assert_eq!(others, ["A —.b→ B —.owner→ A"]);
}

#[test]
fn held_cycles_of_instances_come_after_garbage_and_machinery_is_left_out() {
    let mut w = World::new(Form::Dict);
    let main = w.module("__main__");
    let class = w.class_object("__main__.Tree");
    w.attr(main, "Tree", class);
    let f = w.new_object("function");
    w.attr(main, "f", f);
    let module_dict = NodeId(main.0 + 1);
    w.field(f, "__globals__", module_dict);
    let (p, c) = (w.new_object("__main__.Tree"), w.new_object("__main__.Tree"));
    for n in [p, c] {
        w.plain(n, EdgeKind::Type, class);
    }
    w.attr(main, "tree", p);
    w.attr(p, "child", c);
    w.attr(c, "parent", p);
    let lost = w.new_object("app.Small");
    w.attr(lost, "me", lost);
    let s = w.snapshot();
    let cycles = look(&s);
    let rows: Vec<(CycleState, String)> =
        cycles.shapes.iter().map(|r| (r.state, naming::cycle_text(&s, &r.cycle.steps))).collect();
    assert_eq!(
        rows,
        [
            (CycleState::Garbage, "Small —.me→ Small".to_string()),
            (CycleState::Held, "Tree —.child→ Tree —.parent→ Tree".to_string()),
        ]
    );
    assert_eq!((cycles.held_knots, cycles.held_instance_knots), (3, 1));
}

#[test]
fn a_librarys_object_tells_less_than_the_programs() {
    let mut w = World::new(Form::Inline);
    w.class_of("lib.Base", Origin::Library);
    let (l, p) = (w.new_object("lib.Base"), w.new_object("app.Mine"));
    w.attr(l, "a", p);
    w.attr(p, "b", l);
    let s = w.snapshot();
    assert_eq!(naming::type_name(&s, only(&s).head), "app.Mine");
    assert_eq!(naming::cycle_text(&s, &only(&s).cycle.steps), "Mine —.b→ Base —.a→ Mine");
}

/// Whether the example of a shape is a way that exists in the graph: each step a
/// reference, or one over a dictionary or a closure or both, or a run of equal ones.
fn exists(s: &Snapshot, shape: &CycleShape) -> bool {
    let steps = &shape.cycle.steps;
    (0..steps.len()).all(|i| {
        let (from, step) = (steps[(i + steps.len() - 1) % steps.len()].node, &steps[i]);
        let direct = |n: NodeId| s.graph.edges(n).filter(|e| e.is_strong()).any(|e| e.target == step.node);
        let over_one = |n: NodeId| s.graph.edges(n).any(|e| e.is_strong() && direct(e.target));
        // an attribute dictionary, and a closure's tuple in it
        let over_two = || s.graph.edges(from).any(|e| e.is_strong() && over_one(e.target));
        step.times > 1 || direct(from) || over_one(from) || over_two()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]
    #[test]
    fn every_dead_object_is_in_one_row_and_every_example_exists(s in any_snapshot(16)) {
        let limits = CycleLimits { garbage: usize::MAX, held: usize::MAX };
        let counts = undying_analysis::refcounts(&s, &Silent).unwrap();
        let dead = undying_analysis::garbage(&s, &counts, &Silent).unwrap();
        let knots = undying_analysis::components_within(&s, &dead.dead, &Silent).unwrap();
        let all = undying_analysis::components(&s, &Silent).unwrap();
        let c = undying_analysis::cycles(&s, &dead, &knots, Some(&all), limits, &Silent).unwrap();
        let garbage: Vec<&CycleShape> = c.shapes.iter().filter(|r| r.state == CycleState::Garbage).collect();
        prop_assert_eq!(garbage.iter().map(|r| r.count).sum::<u64>(), knots.count);
        prop_assert_eq!(garbage.iter().map(|r| r.objects).sum::<u64>(), dead.objects);
        prop_assert_eq!(garbage.iter().map(|r| r.bytes).sum::<u64>(), dead.bytes);
        for shape in &c.shapes {
            prop_assert!(exists(&s, shape), "{:?}", shape.cycle);
            prop_assert!(shape.cycle.advice.edge < shape.cycle.steps.len());
            let in_garbage = dead.dead.contains(shape.cycle.steps[0].node);
            prop_assert_eq!(in_garbage, shape.state == CycleState::Garbage);
        }
    }
}

#[test]
fn a_root_makes_the_same_cycle_held() {
    for rooted in [false, true] {
        let mut w = World::new(Form::Inline);
        let a = w.new_object("app.A");
        w.attr(a, "me", a);
        w.flags(a, Flags::GC_TRACKED);
        if rooted {
            w.root(RootKind::Atexit, "atexit callback", a);
        }
        let state = only(&w.snapshot()).state;
        assert_eq!(state == CycleState::Held, rooted);
    }
}

#[test]
fn classes_made_again_under_one_name_are_one_row() {
    let mut w = World::new(Form::Inline);
    for _ in 0..5 {
        // What a class statement in a function makes each time it runs.
        let class = w.class_again("app.make.<locals>.Job");
        let a = w.instance(class);
        w.attr(a, "me", a);
    }
    let s = w.snapshot();
    let shape = only(&s);
    assert_eq!((shape.count, shape.instances, shape.types.len()), (5, 5, 1));
    let rows = undying_analysis::histogram(&s).rows;
    assert_eq!((rows.len(), rows[0].count), (1, 5));
}
