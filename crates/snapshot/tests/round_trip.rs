//! What is written is what is read.

use undying_graph::*;
use undying_snapshot::{Writer, read};

#[test]
fn thin() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let mut w = Writer::create(&dest, false, "0").unwrap();
    let name = w.label("x.Y");
    let t = TypeRow {
        name,
        object: None,
        basic_bytes: 16,
        item_bytes: 0,
        module_file: LabelId::NONE,
        origin: Origin::Program,
        has_gc: true,
        has_del: false,
    };
    w.begin(3).unwrap();
    for i in 0..3u32 {
        let row = ObjectRow {
            address: 16 * i as u64,
            type_id: TypeId(0),
            shallow_bytes: 16,
            refcount: Some(1),
            flags: Flags::GC_TRACKED,
        };
        w.object(&row, &[Edge::exact(NodeId((i + 1) % 3), EdgeKind::Attr)]).unwrap();
    }
    w.finish(Tail { types: vec![t], ..Tail::default() }).unwrap();
    assert_eq!(w.commit().unwrap().counts.objects, 3);
    let s = read(&dest, &Silent).unwrap();
    assert_eq!(s.graph.len(), 3);
    assert_eq!(s.graph.edges(NodeId(2)).next().unwrap().target, NodeId(0));
    assert_eq!(s.type_name(NodeId(0)), "x.Y");
}
