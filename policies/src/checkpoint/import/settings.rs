//! Settings that a training loop pickled beside its weights, as JSON.

use serde_json::{Map, Number, Value as Json};

use super::tree::{Id, Tree, Value};

/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most values. Settings of a training have a few hundred.
const MAX_VALUES: usize = 1 << 14;

/// Numbers, texts, lists and dictionaries below `root`. OmegaConf's containers (`_content`) and nodes
/// (`_val`) count as what they hold; everything else is null.
pub fn settings(tree: &Tree, root: Id) -> Json {
    let mut left = MAX_VALUES;
    json(tree, root, 0, &mut left)
}

fn json(tree: &Tree, id: Id, depth: usize, left: &mut usize) -> Json {
    if depth > MAX_DEPTH || *left == 0 {
        return Json::Null;
    }
    *left -= 1;
    match tree.get(id) {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Text(text) if text.len() <= 4096 => Json::String(text.clone()),
        Value::List(entries) => entries
            .iter()
            .map(|&entry| json(tree, entry, depth + 1, left))
            .collect(),
        Value::Dict(items) => object(tree, items, depth, left),
        Value::Record(record) => {
            let held = record.state.and_then(|state| {
                tree.entry(state, "_content")
                    .or_else(|| tree.entry(state, "_val"))
                    .or(Some(state).filter(|_| !record.called))
            });
            match held {
                Some(held) => json(tree, held, depth + 1, left),
                None => object(tree, &record.items, depth, left),
            }
        }
        _ => Json::Null,
    }
}

fn object(tree: &Tree, items: &[(Id, Id)], depth: usize, left: &mut usize) -> Json {
    let mut object = Map::new();
    for &(key, value) in items {
        if let Some(key) = tree.text(key) {
            object.insert(key.to_owned(), json(tree, value, depth + 1, left));
        }
    }
    Json::Object(object)
}
