//! The same concept keeps its number: matching of prototypes between generations of a model.
//!
//! Prototypes of a model that learns on move, and two may change places. What people and policies
//! know a concept by is its number, so that a new generation is renumbered to agree with the old one
//! as well as possible, by an optimal one-to-one assignment (Kuhn, "The Hungarian method for the
//! assignment problem", 1955).

use super::prototypes::Prototypes;

/// Which prototypes of a new generation take the places of the old ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// For every old number, the new prototype that gets it.
    pub order: Vec<usize>,
    /// Share of numbers that changed hands.
    pub churn: f64,
    /// Mean cosine between old prototypes and their successors.
    pub similarity: f64,
}

/// Matches new prototypes to old ones of the same number by their cosines on the time sphere.
/// `named` numbers are never given away: their prototypes keep them wherever they moved.
pub fn match_prototypes(old: &Prototypes, new: &Prototypes, named: &[usize]) -> Matching {
    let count = old.len().min(new.len());
    let free = (0..count).filter(|number| !named.contains(number));
    let free = free.collect::<Vec<_>>();
    let cosine = |old_number: usize, new_number: usize| {
        let pair = old.point(old_number).iter().zip(new.point(new_number));
        pair.map(|(a, b)| a * b).sum::<f64>()
    };
    let costs = free.iter().map(|&row| {
        let costs = free.iter().map(|&column| -cosine(row, column));
        costs.collect::<Vec<_>>()
    });
    let assigned = assign(&costs.collect::<Vec<_>>());
    let mut order = (0..count).collect::<Vec<_>>();
    for (row, column) in assigned.into_iter().enumerate() {
        order[free[row]] = free[column];
    }
    let changed = order.iter().enumerate().filter(|(old, new)| old != *new);
    let changed = changed.count();
    let cosines = order.iter().enumerate().map(|(old, &new)| cosine(old, new));
    let most = count.max(1) as f64;
    Matching {
        churn: changed as f64 / most,
        similarity: cosines.sum::<f64>() / most,
        order,
    }
}

/// The column of every row in the one-to-one assignment of least total cost; costs are square.
///
/// Shortest augmenting paths with potentials, cubic in the size.
pub fn assign(costs: &[Vec<f64>]) -> Vec<usize> {
    let size = costs.len();
    // One more of everything: index 0 is the root of the search.
    let mut row_potential = vec![0.0; size + 1];
    let mut column_potential = vec![0.0; size + 1];
    let mut row_of = vec![0usize; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let mut shortest = vec![f64::INFINITY; size + 1];
        let mut came_from = vec![0usize; size + 1];
        let mut done = vec![false; size + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            done[column] = true;
            let at = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for other in 1..=size {
                if done[other] {
                    continue;
                }
                let slack = costs[at - 1][other - 1] - row_potential[at] - column_potential[other];
                if slack < shortest[other] {
                    (shortest[other], came_from[other]) = (slack, column);
                }
                if shortest[other] < step {
                    (step, next) = (shortest[other], other);
                }
            }
            for other in 0..=size {
                if done[other] {
                    row_potential[row_of[other]] += step;
                    column_potential[other] -= step;
                } else {
                    shortest[other] -= step;
                }
            }
            // Costs that are not finite: no better column is known than the first free one.
            column = match next {
                0 => (1..=size).find(|&other| !done[other]).unwrap_or(size),
                next => next,
            };
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut columns = vec![0; size];
    for (column, &row) in row_of.iter().enumerate().skip(1) {
        if let Some(found) = row.checked_sub(1).and_then(|row| columns.get_mut(row)) {
            *found = column - 1;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::infocon::time_sphere::TimeSphere;

    fn total(costs: &[Vec<f64>], columns: &[usize]) -> f64 {
        columns
            .iter()
            .zip(costs)
            .map(|(&column, row)| row[column])
            .sum()
    }

    fn least(costs: &[Vec<f64>], row: usize, used: &mut Vec<usize>) -> f64 {
        if row == costs.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..costs.len() {
            if !used.contains(&column) {
                used.push(column);
                best = best.min(costs[row][column] + least(costs, row + 1, used));
                used.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_assignment_costs_less(size in 1usize..6, seed in prop::collection::vec(-9.0f64..9.0, 36)) {
            let costs = seed.chunks(6).take(size).map(|row| row[..size].to_vec()).collect::<Vec<_>>();
            let columns = assign(&costs);
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..size).collect::<Vec<_>>());
            let found = total(&costs, &columns);
            prop_assert!((found - least(&costs, 0, &mut Vec::new())).abs() < 1e-9);
        }
    }

    #[test]
    fn costs_that_are_not_numbers_still_give_an_assignment() {
        let mut columns = assign(&[vec![f64::NAN, f64::NAN], vec![f64::INFINITY, 1.0]]);
        columns.sort_unstable();
        assert_eq!(columns, [0, 1]);
        assert!(assign(&[]).is_empty());
    }

    fn prototypes(angles: [f32; 3]) -> Prototypes {
        let features = angles.iter().flat_map(|angle| [angle.cos(), angle.sin()]);
        Prototypes::new(
            TimeSphere { rate: 1.2 },
            &features.collect::<Vec<_>>(),
            &[0.5; 3],
        )
    }

    #[test]
    fn swapped_prototypes_get_their_numbers_back() {
        let (old, new) = (prototypes([0.0, 1.0, 2.0]), prototypes([1.1, 0.1, 2.1]));
        let matching = match_prototypes(&old, &new, &[]);
        assert_eq!(matching.order, [1, 0, 2]);
        assert!((matching.churn - 2.0 / 3.0).abs() < 1e-12);
        assert!(matching.similarity > 0.99);
    }

    #[test]
    fn a_named_concept_keeps_its_number() {
        let (old, new) = (prototypes([0.0, 1.0, 2.0]), prototypes([1.1, 0.1, 2.1]));
        let matching = match_prototypes(&old, &new, &[0]);
        assert_eq!(matching.order, [0, 1, 2]);
        assert_eq!(matching.churn, 0.0);
    }
}
