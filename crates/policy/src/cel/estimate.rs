//! What an expression costs when every list has ten elements: a bound at saving, so that nobody saves what can only fail.

use super::node::{Each, Node};

const ELEMENTS: usize = 10;

/// Steps, counted as `eval` counts them; at most as many as there are.
pub(super) fn steps(node: &Node) -> usize {
    let all = |nodes: &[Node]| nodes.iter().map(steps).fold(0, usize::saturating_add);
    let inside = match node {
        Node::Constant(_) | Node::Variable(_) => 0,
        Node::All(parts) | Node::Any(parts) | Node::List(parts) | Node::Call(_, parts) => {
            all(parts)
        }
        Node::If(parts) => all(parts.as_slice()),
        Node::Map(entries) => entries
            .iter()
            .map(|(key, value)| steps(key).saturating_add(steps(value)))
            .fold(0, usize::saturating_add),
        Node::Field(of, _) | Node::Has(of, _) | Node::Matches(of, _) => steps(of),
        Node::Each(each) => through(each),
    };
    inside.saturating_add(1)
}

fn through(each: &Each) -> usize {
    let elements = match &each.range {
        Node::List(all) => all.len(),
        _ => ELEMENTS,
    };
    let filter = each.filter.as_ref().map_or(0, steps);
    let once = steps(&each.body).saturating_add(filter).saturating_add(1);
    steps(&each.range).saturating_add(once.saturating_mul(elements))
}
