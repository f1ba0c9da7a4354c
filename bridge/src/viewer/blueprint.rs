//! How a viewer arranges what it is sent, unless its user arranges it anew.

use rerun::blueprint::{
    BarChartView, Blueprint, BlueprintPanel, ContainerLike, Horizontal, SelectionPanel,
    Spatial2DView, StateTimelineView, Tabs, TensorView, TextDocumentView, TextLogView, TimePanel,
    TimeSeriesView, Vertical, components::PanelState,
};

use crate::viewer::scribe::{entity, path};

/// Cameras and goal on the left, curves in the middle, the policy's inside on the right.
pub(super) fn default_blueprint<'a>(cameras: impl Iterator<Item = &'a str>) -> Blueprint {
    let left = Vertical::new([
        pictures(cameras),
        TextDocumentView::new("goal").with_origin(path::GOAL).into(),
        states(),
        TextLogView::new("log").with_origin(path::LOG).into(),
    ])
    .with_row_shares([3.0, 1.0, 1.0, 1.0]);
    let middle = Tabs::new([
        Vertical::new([
            curves("action", &[path::ACTION]),
            curves("plans", &[path::PLAN_AHEAD]),
            curves("command", &[path::COMMAND]),
            curves("joints", &[path::JOINTS]),
        ])
        .with_name("control")
        .into(),
        Vertical::new([
            curves("timing", &[path::TIMING]),
            curves("counts", &[path::RUNTIME]),
        ])
        .with_name("timing")
        .into(),
        Vertical::new([
            curves("loss", &[path::LEARNER_LOSS]),
            curves("gradient", &[path::LEARNER_GRADIENT]),
            curves("gate", &[path::LEARNER_GATE]),
        ])
        .with_name("learner")
        .into(),
        curves("training", &[path::TRAINING]),
    ]);
    let plan = format!("/{}/table", path::PLAN);
    let right = Vertical::new([
        Spatial2DView::new("latents")
            .with_origin(path::LATENT_TRAIL)
            .into(),
        BarChartView::new("latents")
            .with_origin(path::LATENT)
            .into(),
        TensorView::new("plan").with_origin(plan).into(),
    ]);
    let columns = Horizontal::new([left.into(), middle.into(), right.into()]);
    Blueprint::new(columns.with_column_shares([2.0, 3.0, 1.5]))
        .with_auto_views(false)
        .with_blueprint_panel(BlueprintPanel::from_state(PanelState::Collapsed))
        .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
        .with_time_panel(TimePanel::new().with_timeline(path::TICK))
}

/// One view per camera, since images in one view would cover each other.
fn pictures<'a>(cameras: impl Iterator<Item = &'a str>) -> ContainerLike {
    let views = cameras.map(|name| {
        let view = Spatial2DView::new(name).with_origin(entity(path::CAMERA, name));
        ContainerLike::from(view)
    });
    Horizontal::new(views).with_name("cameras").into()
}

fn states() -> ContainerLike {
    let contents = [path::STATE, path::EPISODE, path::VERDICT].map(below);
    StateTimelineView::new("states")
        .with_contents(contents)
        .into()
}

fn curves(name: &str, origins: &[&str]) -> ContainerLike {
    let contents = origins.iter().copied().map(below);
    TimeSeriesView::new(name).with_contents(contents).into()
}

fn below(origin: &str) -> String {
    format!("/{origin}/**")
}
