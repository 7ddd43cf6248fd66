//! Forecasts against series whose answer is known.

use proptest::prelude::*;

use super::*;

const MB: u64 = 1_000_000;

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Days up to yesterday: so much grown and freed on each, beginning with a size. The last is that of yesterday.
fn days(first_size: u64, changes: &[(u64, u64)]) -> Vec<Day> {
    let midnight: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
    let n_days = i64::try_from(changes.len()).unwrap();
    let mut size = first_size;
    let day = |(ago, (grown, freed)): (i64, &(u64, u64))| {
        size = size + grown - freed;
        let at = midnight - TimeDelta::days(ago);
        Day { at, size: Some(Bytes(size)), grown: Bytes(*grown), freed: Bytes(*freed) }
    };
    (1..=n_days).rev().zip(changes).map(day).collect()
}

fn looked_ahead(days: &[Day]) -> Forecast {
    let usage = days.iter().rev().find_map(|day| day.size);
    forecast(
        &Basis { days, now: now(), usage, plan_frees: Some(Bytes(50 * MB)) },
        &[Bytes(350 * MB), Bytes(500 * MB)],
    )
}

fn rate(trend: Trend) -> Growth {
    match trend {
        Trend::Known(growth) => growth,
        Trend::NotEnough { n_days, needed } => panic!("{n_days} days of {needed} are not enough"),
    }
}

/// In megabytes a day, to a thousandth.
/// In thousandths of a megabyte, so that it can be compared.
fn per_day(trend: Trend) -> i64 {
    let thousandth = MB as f64 / 1e3;
    format!("{:.0}", rate(trend).per_day / thousandth).parse().unwrap()
}

fn likely(reach: Reach) -> Option<String> {
    match reach {
        Reach::Ahead { likely, .. } => likely.map(|at| at.format("%F %H:%M").to_string()),
        Reach::Reached | Reach::Unknown => panic!("{reach:?}"),
    }
}

#[test]
fn a_steady_growth_reaches_its_lines_on_the_day_that_arithmetic_says() {
    let forecast = looked_ahead(&days(100 * MB, &[(5 * MB, 0); 30]));
    let growth = rate(forecast.pushes);
    assert_eq!((per_day(forecast.pushes), per_day(forecast.net), growth.n_days), (5_000, 5_000, 29));
    assert!(growth.high - growth.low < 1e-3, "no noise, no range: {growth:?}");
    // 250 MB now, so that 100 and 250 MB are missing, and 150 after a plan that frees 50.
    let [warning, budget] = &forecast.lines[..] else { panic!("two lines") };
    assert_eq!(likely(warning.if_nothing_goes).unwrap(), "2026-12-11 12:00");
    assert_eq!(likely(budget.if_nothing_goes).unwrap(), "2027-01-10 12:00");
    assert_eq!(likely(warning.after_the_plan.unwrap()).unwrap(), "2026-12-21 12:00");
    assert_eq!(warning.as_it_goes, warning.if_nothing_goes);
}

#[test]
fn deletions_hide_no_growth_and_hold_the_account_level() {
    // Five a day come, and every tenth day fifty go.
    let changes: Vec<_> = (0..60).map(|i| (5 * MB, if i % 10 == 9 { 50 * MB } else { 0 })).collect();
    let forecast = looked_ahead(&days(300 * MB, &changes));
    assert_eq!(per_day(forecast.pushes), 5_000);
    let net = rate(forecast.net);
    assert!(net.per_day.abs() < 0.2 * MB as f64 && net.low < 0.0 && net.high > 0.0, "{net:?}");
    let warning = &forecast.lines[0];
    assert_eq!(likely(warning.if_nothing_goes).unwrap(), "2026-12-01 12:00");
    let Reach::Ahead { likely, .. } = warning.as_it_goes else { panic!("{warning:?}") };
    assert!(likely.is_none_or(|at| at > now() + TimeDelta::days(250)), "{likely:?}");
}

#[test]
fn a_deletion_on_the_very_day_of_a_push_hides_nothing() {
    let forecast = looked_ahead(&days(300 * MB, &[(5 * MB, 5 * MB); 20]));
    assert_eq!((per_day(forecast.pushes), per_day(forecast.net)), (5_000, 0));
    assert_eq!(likely(forecast.lines[0].as_it_goes), None, "it never comes");
}

#[test]
fn one_large_push_moves_the_line_and_not_the_rate() {
    for place in [3, 12, 26] {
        let mut changes = [(2 * MB, 0); 30];
        changes[place].0 += 120 * MB;
        assert_eq!(per_day(looked_ahead(&days(100 * MB, &changes)).pushes), 2_000, "on day {place}");
    }
}

#[test]
fn pushes_on_one_day_of_the_week_are_a_rate_all_the_same() {
    let changes: Vec<_> = (0..56).map(|i| (if i % 7 == 3 { 70 * MB } else { 0 }, 0)).collect();
    let growth = rate(looked_ahead(&days(0, &changes)).pushes);
    let (low, middle, high) = (growth.low / MB as f64, growth.per_day / MB as f64, growth.high / MB as f64);
    assert!((9.0..=11.0).contains(&middle), "{middle}");
    assert!((0.0..10.0).contains(&low) && (10.0..15.0).contains(&high), "{low} to {high}");
}

#[test]
fn days_without_a_look_are_gaps_and_neither_rest_nor_rush() {
    let mut all = days(100 * MB, &[(5 * MB, 0); 40]);
    // For ten days nobody looked; what came in them is told by the first day after.
    let lost: u64 = all.drain(15..25).map(|day| day.grown.0).sum();
    all[15].grown.0 += lost;
    all[25].size = None;
    let forecast = looked_ahead(&all);
    assert_eq!((per_day(forecast.pushes), per_day(forecast.net)), (5_000, 5_000));
}

#[test]
fn a_week_of_history_is_the_least() {
    let of = |n: usize| looked_ahead(&days(100 * MB, &vec![(5 * MB, 0); n])).pushes;
    assert_eq!(of(0), Trend::NotEnough { n_days: 0, needed: 7 });
    assert_eq!(of(7), Trend::NotEnough { n_days: 6, needed: 7 });
    assert_eq!(per_day(of(8)), 5_000);
    let mut two_looks = days(100 * MB, &[(5 * MB, 0); 30]);
    two_looks.drain(1..29);
    assert!(matches!(looked_ahead(&two_looks).pushes, Trend::NotEnough { n_days: 29, .. }));
}

#[test]
fn without_history_a_line_that_is_passed_is_still_told() {
    let basis = Basis { days: &[], now: now(), usage: Some(Bytes(400 * MB)), plan_frees: None };
    let lines = forecast(&basis, &[Bytes(350 * MB), Bytes(500 * MB)]).lines;
    assert_eq!((lines[0].if_nothing_goes, lines[1].if_nothing_goes), (Reach::Reached, Reach::Unknown));
    assert_eq!((lines[0].as_it_goes, lines[0].after_the_plan), (Reach::Reached, None));
    let unknown = forecast(&Basis { usage: None, ..basis }, &[Bytes(350 * MB)]).lines;
    assert_eq!(unknown[0].if_nothing_goes, Reach::Unknown);
}

#[test]
fn what_comes_after_more_than_ten_years_is_not_dated() {
    let forecast = looked_ahead(&days(100 * MB, &[(1_000, 0); 30]));
    assert_eq!(likely(forecast.lines[0].if_nothing_goes), None);
}

#[test]
fn only_the_window_counts() {
    let mut changes = vec![(90 * MB, 90 * MB); 200];
    changes.extend([(3 * MB, 0); 60]);
    assert_eq!(per_day(looked_ahead(&days(0, &changes)).pushes), 3_000);
}

#[test]
fn savings_are_what_would_have_been_paid_for_what_is_gone() {
    let price = Price { per_gb_month: 30.4375, currency: "USD".to_owned(), free: Bytes(500 * MB) };
    let history = days(600 * MB, &[(0, 0); 20]);
    // 100 MB over what is free costs 100 MB x 30.4375 a month; a gigabyte more, gone for ten days, costs ten days of 1.
    let gone_at = history[9].at;
    let saved =
        savings(&price, &history, &[(gone_at, Bytes(1_000 * MB))], history[19].at + TimeDelta::days(1));
    assert!((saved.saved - 10.0).abs() < 1e-9, "{saved:?}");
    assert!((saved.costs_by_month.unwrap() - 3.04375).abs() < 1e-9, "{saved:?}");
    assert!((saved.saves_by_month.unwrap() - 30.4375).abs() < 1e-9, "{saved:?}");
}

#[test]
fn what_was_free_anyway_saves_nothing() {
    let price = Price { per_gb_month: 0.026, currency: "USD".to_owned(), free: Bytes(500 * MB) };
    let history = days(100 * MB, &[(0, 0); 20]);
    let saved = savings(&price, &history, &[(history[1].at, Bytes(300 * MB))], now());
    assert_eq!((saved.saved, saved.saves_by_month), (0.0, Some(0.0)));
    let nothing = savings(&price, &[], &[], now());
    assert_eq!((nothing.saved, nothing.costs_by_month), (0.0, None));
    assert!(nothing.saved.is_sign_positive(), "{nothing:?}");
}

prop_compose! {
    fn changes()(pushes in prop::collection::vec((0_u64..20 * MB, 0_u64..100), 8..60)) -> Vec<(u64, u64)> {
        let mut size = 0;
        let change = |(grown, share): (u64, u64)| {
            size += grown;
            // On every fifth day or so something goes, up to a fifth of what is there.
            let freed = size * share.saturating_sub(80) / 100;
            size -= freed;
            (grown, freed)
        };
        pushes.into_iter().map(change).collect()
    }
}

proptest! {
    #[test]
    fn a_rate_lies_between_the_least_and_the_most_of_any_day(changes in changes()) {
        let growth = rate(looked_ahead(&days(0, &changes)).pushes);
        let all = changes.iter().map(|(grown, _)| *grown as f64);
        let (least, most) = all.fold((f64::MAX, 0.0_f64), |(least, most), n| (least.min(n), most.max(n)));
        // Today has only begun, so that a day is up to a billionth longer or shorter than one.
        prop_assert!(least - 1.0 <= growth.low && growth.low <= growth.per_day, "{:?}", growth);
        prop_assert!(growth.per_day <= growth.high && growth.high <= most + 1.0, "{:?}", growth);
    }

    #[test]
    fn pushes_are_told_alike_whatever_goes(changes in changes()) {
        let without: Vec<_> = changes.iter().map(|(grown, _)| (*grown, 0)).collect();
        prop_assert_eq!(looked_ahead(&days(0, &changes)).pushes, looked_ahead(&days(0, &without)).pushes);
    }

    #[test]
    fn a_line_further_up_is_reached_later_and_a_plan_puts_it_off(changes in changes()) {
        let forecast = looked_ahead(&days(0, &changes));
        let [first, second] = &forecast.lines[..] else { panic!("two lines") };
        if let (Reach::Ahead { earliest, likely, latest }, Reach::Ahead { likely: further, .. }) =
            (first.if_nothing_goes, second.if_nothing_goes)
        {
            prop_assert!(further.is_none_or(|further| likely.is_some_and(|likely| likely <= further)));
            prop_assert!(likely.is_none_or(|likely| earliest.is_some_and(|earliest| earliest <= likely)));
            prop_assert!(latest.is_none_or(|latest| likely.is_some_and(|likely| likely <= latest)));
            if let Some(Reach::Ahead { likely: put_off, .. }) = first.after_the_plan {
                prop_assert!(put_off.is_none_or(|put_off| likely.is_some_and(|likely| likely <= put_off)));
            }
        }
    }

    #[test]
    fn noise_around_a_rate_is_heard_as_the_rate(noise in prop::collection::vec(0_u64..8 * MB, 60), base in 1_u64..20) {
        // Between base and base + 8 a day, evenly: the mean is base + 4, and the median slope lies near it.
        let changes: Vec<_> = noise.iter().map(|n| (base * MB + n, 0)).collect();
        let expected = noise.iter().sum::<u64>() as f64 / 60.0 + (base * MB) as f64;
        let growth = rate(looked_ahead(&days(0, &changes)).pushes);
        prop_assert!((growth.per_day - expected).abs() < 1.5 * MB as f64, "{:?} for {}", growth, expected);
    }
}
