//! Gauss and Legendre's rule: the mean of a smooth function over 0 to 1 from few of its values.

use std::f64::consts::PI;

/// Where a function is looked at, and how much that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    pub(super) place: f64,
    pub(super) weight: f64,
}

/// The nodes of the rule with so many of them, from the last to the first. It is exact for polynomials up to degree `2 count - 1`.
pub(super) fn gauss_legendre(count: usize) -> Vec<Node> {
    (1..=count).map(|index| node(count, index)).collect()
}

/// From -1 to 1 the nodes are the roots of the Legendre polynomial of degree `count`, which Newton's method finds.
fn node(count: usize, index: usize) -> Node {
    let mut root = (PI * (index as f64 - 0.25) / (count as f64 + 0.5)).cos();
    let mut slope = 1.0;
    // From so near a start three are enough.
    for _ in 0..6 {
        let value;
        (value, slope) = legendre(count, root);
        root -= value / slope;
    }
    Node { place: (1.0 + root) / 2.0, weight: 1.0 / ((1.0 - root * root) * slope * slope) }
}

/// A Legendre polynomial and its slope at a place between -1 and 1, by Bonnet's recursion.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for degree in 1..=degree {
        let degree = degree as f64;
        (before, value) = (value, ((2.0 * degree - 1.0) * x * value - (degree - 1.0) * before) / degree);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_are_where_the_books_have_them() {
        let [high, low] = gauss_legendre(2)[..] else { panic!() };
        let distance = 0.5 / 3f64.sqrt();
        assert!((high.place - 0.5 - distance).abs() < 1e-15 && (low.place - 0.5 + distance).abs() < 1e-15);
        assert!((high.weight - 0.5).abs() < 1e-15 && (low.weight - 0.5).abs() < 1e-15);
    }

    #[test]
    fn polynomials_are_integrated_exactly_up_to_their_degree() {
        for count in [1, 2, 3, 16, 64, 512] {
            for power in [0, 1, count, 2 * count - 1] {
                let mean: f64 =
                    gauss_legendre(count).iter().map(|node| node.weight * node.place.powi(power as i32)).sum();
                assert!((mean * (power as f64 + 1.0) - 1.0).abs() < 1e-11, "{count} nodes, x^{power}: {mean}");
            }
        }
        // One degree more than two nodes know.
        let mean: f64 = gauss_legendre(2).iter().map(|node| node.weight * node.place.powi(4)).sum();
        assert!((mean - 0.2).abs() > 1e-3);
    }
}
