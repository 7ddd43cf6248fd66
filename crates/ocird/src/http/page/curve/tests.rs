//! Curves of invented pasts: what is drawn where, and what is left out.

use super::*;

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn points(sizes: &[Option<u64>]) -> Vec<Point> {
    let n = i64::try_from(sizes.len()).unwrap();
    let at = |i: usize| now() - TimeDelta::days(n - i64::try_from(i).unwrap());
    sizes.iter().enumerate().map(|(i, size)| (at(i), size.map(Bytes))).collect()
}

fn growth(per_day: f64) -> Growth {
    Growth { per_day, low: per_day - 1e6, high: per_day + 1e6, n_days: 30 }
}

fn curve<'a>(points: &'a [Point], lines: &'a [Line]) -> Curve<'a> {
    Curve {
        points,
        gap: TimeDelta::hours(36),
        now: now(),
        until: now() + TimeDelta::days(10),
        lines,
        outlook: None,
        title: "Usage",
        description: "It rose.",
    }
}

#[test]
fn what_is_not_known_leaves_a_gap() {
    let known = points(&[Some(1), Some(2), None, Some(4), Some(5)]);
    let runs = runs(&known, TimeDelta::hours(36));
    assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    let mut missing = points(&[Some(1), Some(2), Some(3), Some(4)]);
    missing.remove(2);
    assert_eq!(super::runs(&missing, TimeDelta::hours(36)).len(), 2, "a day without a look");
}

#[test]
fn a_point_is_the_higher_the_larger_its_size() {
    let points = points(&[Some(100), Some(200), Some(400)]);
    let scale = curve(&points, &[]).scale(Canvas::Wide);
    let heights: Vec<f64> = points.iter().map(|(_, size)| scale.y(size.unwrap().0 as f64)).collect();
    assert!(heights.is_sorted_by(|a, b| a > b), "{heights:?}");
    assert!((scale.y(0.0) - scale.bottom()).abs() < 0.1 && scale.y(1e18) >= EDGE);
}

#[test]
fn a_line_above_every_size_is_on_the_canvas() {
    let points = points(&[Some(100), Some(200)]);
    let lines = [Line { at: Bytes(5000), label: "budget <b>".to_owned(), class: "bad" }];
    let scale = curve(&points, &lines).scale(Canvas::Narrow);
    assert!(scale.y(5000.0) > EDGE, "and has room for its name");
    let drawn = curve(&points, &lines).draw().into_string();
    assert!(drawn.contains("budget &lt;b&gt;") && !drawn.contains("<b>"), "{drawn}");
}

#[test]
fn an_outlook_ends_at_the_edge_and_never_below_nothing() {
    let points = points(&[Some(100_000_000), Some(200_000_000)]);
    let scale = curve(&points, &[]).scale(Canvas::Wide);
    let falls = scale.ray(now(), 200e6, -100e6, 10.0);
    assert!((falls[1].1 - scale.bottom()).abs() < 0.1, "{falls:?}");
    assert!((falls[1].0 - scale.x(now() + TimeDelta::days(2))).abs() < 0.2, "gone after two days: {falls:?}");
    let flat = scale.ray(now(), 200e6, 0.0, 10.0);
    assert_eq!(flat[1], scale.place(now() + TimeDelta::days(10), 200e6));
    let rises = scale.ray(now(), 200e6, 1e9, 10.0);
    assert!((rises[1].1 - EDGE).abs() < 0.1 && rises[1].0 < scale.right() - 100.0, "{rises:?}");
}

#[test]
fn what_is_expected_has_room_but_does_not_flatten_what_was() {
    let points = points(&[Some(100_000_000), Some(200_000_000)]);
    let top = |per_day: f64| {
        let outlook = Outlook { usage: Bytes(200_000_000), net: growth(per_day), pushes: growth(per_day) };
        Curve { outlook: Some(outlook), ..curve(&points, &[]) }.scale(Canvas::Wide).largest()
    };
    let nothing_expected = curve(&points, &[]).scale(Canvas::Wide).largest();
    assert!(top(5e6) > 250e6, "fifty megabytes more in ten days");
    assert!(top(1e12) < nothing_expected * 1.51 && (top(-5e6) - nothing_expected).abs() < 1.0);
}

#[test]
fn each_picture_has_a_title_and_a_description_of_its_own() {
    let points = points(&[Some(1), Some(2)]);
    let outlook = Outlook { usage: Bytes(2), net: growth(1.0), pushes: growth(2.0) };
    let drawn = Curve { outlook: Some(outlook), ..curve(&points, &[]) }.draw().into_string();
    for part in ["title", "description"] {
        for class in ["wide", "narrow"] {
            assert_eq!(drawn.matches(&format!("id=\"curve-{part}-{class}\"")).count(), 1, "{drawn}");
        }
    }
    assert!(!drawn.contains("style=") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
}

#[test]
fn one_point_and_no_point_are_drawn_without_nonsense() {
    for sizes in [&[][..], &[None], &[Some(0)], &[Some(u64::MAX)]] {
        let points = points(sizes);
        let drawn = Curve { until: now(), ..curve(&points, &[]) }.draw().into_string();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }
}

#[test]
fn labels_are_round_and_few() {
    let sizes = |top: f64| bytes_ticks(top).into_iter().map(round).collect::<Vec<_>>();
    assert_eq!(sizes(550e6), ["0 B", "200 MB", "400 MB"]);
    assert_eq!(sizes(1.2e9), ["0 B", "500 MB", "1 GB"]);
    assert_eq!(sizes(1.0), ["0 B", "1 B"]);
    for days in [1, 2, 9, 40, 120, 400, 1500, 4000] {
        let times = now() - TimeDelta::days(days)..now();
        for most in [4, 8] {
            let ticks = time_ticks(&times, most);
            assert!((1..=most + 1).contains(&ticks.len()), "{days} days: {ticks:?}");
            assert!(ticks.iter().all(|(at, _)| times.contains(at)), "{ticks:?}");
        }
    }
}
