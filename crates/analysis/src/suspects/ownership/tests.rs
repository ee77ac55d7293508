//! Which proxies are accused, and how loudly, on heaps made by hand.

use undying_graph::{Builder, Detail, Edge, EdgeKind, Flags, LabelId, ObjectRow, Root, RootKind, Silent, Sink};

use super::*;
use crate::refcounts;

/// What a proxy stands for: where, who frees it, who else points there.
#[derive(Clone, Copy)]
struct Of {
    address: u64,
    owned: bool,
    destructor: Option<bool>,
    bytes: Option<u64>,
    pointers: Option<u32>,
}

const LOST: Of = Of { address: 0x1000, owned: false, destructor: Some(true), bytes: Some(24), pointers: Some(0) };

fn many(n: u64, of: Of) -> Vec<Of> {
    (0..n).map(|i| Of { address: of.address + 64 * i, ..of }).collect()
}

/// A module's list of proxies, each with the object behind it.
fn heap(of: &[Of]) -> Snapshot {
    let mut b = Builder::new();
    let (list, class, behind) = (b.add_type("list"), b.add_type("meshkit.Mesh"), b.add_type("SwigPyObject"));
    let (this, module, native, file) = (b.label("this"), b.label("app"), b.label("Mesh *"), b.label("_meshkit.so"));
    let n = of.len() as u32;
    let mut address = 0;
    let mut push = |b: &mut Builder, type_id, edges: &[Edge]| {
        address += 64;
        let row = ObjectRow { address, type_id, shallow_bytes: 48, refcount: Some(1), flags: Flags::default() };
        b.push(&row, edges);
    };
    let items: Vec<Edge> = (0..n).map(|i| Edge::exact(NodeId(1 + i), EdgeKind::Item)).collect();
    push(&mut b, list, &items);
    for i in 0..n {
        let edge = Edge { detail: Detail::Label(this), ..Edge::exact(NodeId(1 + n + i), EdgeKind::Attr) };
        push(&mut b, class, &[edge]);
    }
    (0..n).for_each(|_| push(&mut b, behind, &[]));
    let row = |(i, of): (u32, &Of)| WrapperRow {
        node: NodeId(1 + n + i),
        system: WrapperSystem::Swig,
        native_type: native,
        native_address: of.address,
        owned: Some(of.owned),
        destructor: of.destructor,
        holder: None,
        native_bytes: of.bytes,
        pointers: of.pointers,
        module_file: file,
    };
    b.tail_mut().wrappers = (0..).zip(of).map(row).collect();
    b.tail_mut().roots = vec![Root { node: NodeId(0), kind: RootKind::Module, label: module }];
    assert_ne!(file, LabelId::NONE);
    b.build()
}

fn found(of: &[Of], before: Option<&[Of]>) -> Vec<Suspect> {
    let (snapshot, before) = (heap(of), before.map(heap));
    let counts = refcounts(&snapshot, &Silent).unwrap();
    let forest = paths::forest(&snapshot, &counts, &Silent).unwrap();
    find(&snapshot, before.as_ref(), &forest, &Silent).unwrap()
}

fn confidence_of(of: &[Of], before: Option<&[Of]>) -> Vec<(&'static str, Confidence)> {
    found(of, before).iter().map(|s| (s.rule, s.confidence)).collect()
}

#[test]
fn what_nobody_can_free_is_told_by_the_proxy_that_the_user_knows() {
    let told = found(&many(20, LOST), None);
    assert_eq!(told.len(), 1);
    let s = &told[0];
    assert_eq!(
        (s.kind, s.rule, s.count, s.confidence),
        (SuspectKind::Ownership, "swig-newobject", 20, Confidence::High)
    );
    assert_eq!((s.type_name.as_str(), s.module_file.as_deref()), ("meshkit.Mesh", Some("_meshkit.so")));
    assert!(s.path_text.starts_with("app") && s.path_text.ends_with("Mesh"), "{}", s.path_text);
    assert!(s.why.contains("20 proxies of type Mesh * have thisown False") && s.why.contains("480 bytes"), "{}", s.why);
    assert!(s.advice.contains("%newobject"), "{}", s.advice);
}

#[test]
fn a_borrowed_reference_is_none() {
    let borrowed = [
        Of { pointers: Some(1), ..LOST },           // its parent points to it
        Of { bytes: None, pointers: None, ..LOST }, // a static, or a part of something larger
        Of { owned: true, pointers: None, ..LOST }, // the proxy frees it
        Of { pointers: None, ..LOST },              // nobody looked
    ];
    for of in borrowed {
        assert_eq!(found(&many(100, of), None), []);
        assert_eq!(found(&many(100, of), Some(&[])), []);
    }
}

#[test]
fn how_sure_it_is_follows_from_how_many_came() {
    use Confidence::{High, Low, Medium};
    let rule = "swig-newobject";
    let (few, lots) = (many(3, LOST), many(30, LOST));
    assert_eq!(confidence_of(&few, None), [(rule, Medium)]);
    assert_eq!(confidence_of(&lots, None), [(rule, High)]);
    assert_eq!(confidence_of(&lots, Some(&lots)), [(rule, Low)], "the same ones as before");
    assert_eq!(confidence_of(&lots, Some(&lots[..28])), [(rule, Medium)]);
    assert_eq!(confidence_of(&lots, Some(&lots[..10])), [(rule, High)]);
    let elsewhere = many(30, Of { address: 0x9000, ..LOST });
    assert_eq!(confidence_of(&lots, Some(&elsewhere)), [(rule, High)], "as many, but others");
    let by_hand = many(30, Of { destructor: Some(false), ..LOST });
    assert_eq!(confidence_of(&by_hand, None), [(rule, Low)], "freed by a function of the library");
    let mixed = [many(10, LOST), many(90, Of { address: 0x90000, pointers: Some(2), ..LOST })].concat();
    assert_eq!(confidence_of(&mixed, None), [(rule, Low)], "most are somebody's");
}

#[test]
fn an_owner_without_a_destructor_is_told_as_swig_tells_it() {
    let stuck = Of { owned: true, destructor: Some(false), pointers: None, ..LOST };
    let told = found(&many(9, stuck), Some(&[]));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].rule, told[0].confidence), ("swig-destructor", Confidence::High));
    assert!(told[0].why.contains("swig/python detected a memory leak of type 'Mesh *', no destructor found"));
    assert!(told[0].advice.contains("class Mesh { public: ~Mesh(); };"), "{}", told[0].advice);
    assert_eq!(found(&[Of { bytes: None, ..stuck }], None), [], "what is no block of the C library is not lost");
}
