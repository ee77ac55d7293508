//! Plain shapes of any size, made as columns: a list, a star, a random digraph.

use undying_graph::{Builder, Columns, EdgeKind, LabelId, Labels, NodeId, Root, RootKind, Snapshot};

use crate::service::Dice;

/// One list, each link holding the next.
pub fn list(objects: usize) -> Snapshot {
    build(objects, |n, hold| {
        if n + 1 < objects {
            hold(n + 1);
        }
    })
}

/// One object that holds all others, each of which holds it.
pub fn star(objects: usize) -> Snapshot {
    build(objects, |n, hold| match n {
        0 => (1..objects).for_each(hold),
        _ => hold(0),
    })
}

/// Each object holds the one at half its number, so that all are reached, and every
/// second one another drawn at random from all, which is as far from an
/// allocator's order as can be.
pub fn random(objects: usize) -> Snapshot {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    // Numbers are scattered over the addresses.
    let mut order: Vec<u32> = (0..objects as u32).collect();
    (1..objects).rev().for_each(|i| order.swap(i, 1 + dice.below(i)));
    let mut number = vec![0u32; objects];
    order.iter().zip(0..).for_each(|(&n, at)| number[n as usize] = at);
    build(objects, |at, hold| {
        let n = order[at] as usize;
        let held = [2 * n, 2 * n + 1];
        held.into_iter().filter(|&h| h > 0 && h < objects).for_each(|h| hold(number[h] as usize));
        if n & 1 == 0 {
            hold(dice.below(objects));
        }
    })
}

/// Objects of 64 bytes with a count of the references found; the first is a root.
fn build(objects: usize, mut out: impl FnMut(usize, &mut dyn FnMut(usize))) -> Snapshot {
    let mut columns = Columns {
        address: (0..objects as u64).map(|i| 0x10_0000 + 64 * i).collect(),
        type_id: vec![0; objects],
        shallow: vec![64; objects],
        refcount: vec![0; objects],
        flags: vec![1; objects],
        first: vec![0],
        ..Columns::default()
    };
    for n in 0..objects {
        let Columns { target, refcount, .. } = &mut columns;
        out(n, &mut |to| {
            target.push(to as u32);
            refcount[to] += 1;
        });
        columns.first.push(columns.target.len() as u32);
    }
    columns.target.shrink_to_fit();
    columns.tag = vec![EdgeKind::Item as u8; columns.target.len()];
    columns.number = vec![0; columns.target.len()];
    let mut builder = Builder::from_columns(Labels::default(), columns).expect("columns that fit");
    builder.add_type("test.Node");
    let (node, kind, label) = (NodeId(0), RootKind::Module, LabelId::NONE);
    builder.tail_mut().roots = vec![Root { node, kind, label }];
    builder.build()
}
