use burn::tensor::{Device, Distribution, Tensor};

use super::InfoConConfig;
use super::codebook::{Codebook, draw_by_score, numbers, replaced};
use crate::host;

#[test]
fn draws_fall_on_weights() {
    // Weights 1, 2 and 1.
    let scores = [0.0, std::f32::consts::LN_2, 0.0];
    let drawn = [0.0, 0.24, 0.26, 0.74, 0.76, 1.0].map(|draw| draw_by_score(&scores, 1.0, draw));
    assert_eq!(drawn, [0, 0, 1, 1, 2, 2]);
    assert_eq!(draw_by_score(&[], 1.0, 0.5), 0);
}

#[test]
fn only_neighbours_are_drawn_and_prototypes_follow_the_nearest() {
    let device = Device::flex();
    let config = InfoConConfig {
        concepts: 5,
        key_dim: 3,
        parameter_dim: 2,
        // Hot enough for all to be drawn.
        temperature: 100.0,
        ..InfoConConfig::published(2, 1, 9)
    };
    let book = Codebook::new(&config, &device);
    let prototypes = book.prototypes();
    let keys = Tensor::random([2, 30, 3], Distribution::Normal(0.0, 1.0), &device);
    let times = [0.1, 0.5, 0.9].repeat(20);
    let plain = book.assign(keys, &times, &prototypes);
    assert_eq!(plain.concepts, plain.nearest);
    let moved = book.moved(&prototypes, &plain);
    for draw in [0.0, 0.99] {
        let drawn = book.drawn(plain.clone(), &moved, &[draw; 60]);
        assert_eq!(drawn.nearest, plain.nearest);
        for (&drawn, &nearest) in drawn.concepts.iter().zip(&plain.nearest) {
            let expected = if draw < 0.5 {
                nearest.saturating_sub(1)
            } else {
                (nearest + 1).min(4)
            };
            assert_eq!(drawn, expected);
        }
        assert_eq!(book.moved(&prototypes, &drawn), moved);
    }
}

#[test]
fn radii_are_bounded_where_they_are_stored_and_cut_where_they_are_used() {
    let device = Device::flex();
    let config = InfoConConfig {
        concepts: 3,
        ..InfoConConfig::published(2, 1, 9)
    };
    let mut book = Codebook::new(&config, &device);
    book.r_keys.weight = replaced(book.r_keys.weight, vec![1.7, -3.0, 0.5]);
    assert_eq!(host::values(book.radii()), [1.0, 0.0, 0.5]);
    let bounded = book.clone().with_bounded_radii();
    assert_eq!(numbers(&bounded.r_keys), [0.999, 0.1, 0.5]);
    book.radius = false;
    assert_eq!(host::values(book.radii()), [1.0; 3]);
}

#[test]
fn renumbering_takes_all_of_a_concept_along() {
    let device = Device::flex();
    let config = InfoConConfig {
        concepts: 3,
        key_dim: 2,
        ..InfoConConfig::published(2, 1, 9)
    };
    let book = Codebook::new(&config, &device);
    let (old, times) = (numbers(&book.keys), numbers(&book.t_keys));
    let new = book.renumbered(&[2, 0, 1]);
    assert_eq!(numbers(&new.t_keys), [times[2], times[0], times[1]]);
    assert_eq!(numbers(&new.keys)[..2], old[4..]);
}
