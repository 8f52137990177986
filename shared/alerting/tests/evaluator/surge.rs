//! What the surge rule is for: it needs no tuning per entity.

use crate::support::{DAY, HOUR, MINUTE, MONDAY, message, rules, run, unlike};
use alerting::{Observation, State, Transition};

const RULE: &str = "[[rule]]\nname = \"surge\"\nkind = \"surge\"\nscope = \"entity\"\n";

/// Four weeks of ordinary news: forty entities with one negative headline a week each, and one, `Loud`, with five a day.
fn ordinary(days: i64) -> Vec<Observation> {
    let mut feed = vec![];
    let mut add = |millis: i64, entity: &str, negative| {
        let offset = feed.len() as i64;
        feed.push(message(offset, millis, entity, negative, &unlike(offset)));
    };
    for day in 0..days {
        for quiet in 0..40 {
            let hour = (day * 7 + quiet * 5) % 24;
            add(
                MONDAY + day * DAY + hour * HOUR,
                &format!("Quiet{quiet}"),
                if (day + quiet) % 7 == 0 { 0.9 } else { 0.1 },
            );
        }
        for turn in 0..5 {
            add(MONDAY + day * DAY + (turn * 5 + 1) * HOUR, "Loud", 0.9);
        }
    }
    feed
}

fn burst(feed: &mut Vec<Observation>, entity: &str, start: i64, count: i64, every: i64) {
    for turn in 0..count {
        let offset = feed.len() as i64;
        feed.push(message(offset, start + turn * every, entity, 0.9, &unlike(offset)));
    }
}

fn fired<'a>(transitions: &'a [Transition], entity: &str) -> Vec<&'a Transition> {
    let firing = transitions.iter().filter(|transition| transition.state == State::Firing);
    firing.filter(|transition| *transition.entity == *entity).collect()
}

#[test]
fn an_entity_never_seen_fires_on_a_few_clearly_negative_headlines_within_hours() {
    let mut feed = ordinary(28);
    let start = MONDAY + 28 * DAY + 10 * HOUR;
    burst(&mut feed, "Stranger", start, 4, 30 * MINUTE);
    let transitions = run(&rules(RULE), &feed);
    let alerts = fired(&transitions, "Stranger");
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].at.millis() <= start + 90 * MINUTE, "{}", alerts[0].at);
    assert!(alerts[0].value > 1.0 && alerts[0].expected.unwrap() < 0.2, "{:?}", alerts[0]);
    assert!(alerts[0].value >= alerts[0].threshold);
}

#[test]
fn ordinary_news_fires_nothing_even_of_an_entity_that_is_always_in_it() {
    assert_eq!(run(&rules(RULE), &ordinary(28)), []);
}

#[test]
fn an_entity_that_is_always_in_the_news_needs_much_more() {
    let mut feed = ordinary(28);
    let start = MONDAY + 28 * DAY + 10 * HOUR;
    burst(&mut feed, "Loud", start, 4, 30 * MINUTE);
    assert_eq!(fired(&run(&rules(RULE), &feed), "Loud").len(), 0);
    burst(&mut feed, "Loud", start + 2 * HOUR, 25, 10 * MINUTE);
    assert_eq!(fired(&run(&rules(RULE), &feed), "Loud").len(), 1);
}

#[test]
fn one_story_syndicated_many_times_counts_once() {
    let mut feed = ordinary(28);
    for copy in 0..50 {
        let offset = feed.len() as i64;
        let time = MONDAY + 28 * DAY + copy * MINUTE;
        feed.push(message(
            offset,
            time,
            "Stranger",
            0.9,
            "Stranger shares fall after the chief executive resigns unexpectedly",
        ));
    }
    assert_eq!(fired(&run(&rules(RULE), &feed), "Stranger").len(), 0);
}

#[test]
fn a_lasting_quiet_tail_does_not_fire_again_and_an_escalation_does() {
    let mut feed = ordinary(28);
    let start = MONDAY + 28 * DAY + 10 * HOUR;
    burst(&mut feed, "Stranger", start, 4, 30 * MINUTE);
    let mut tail = feed.clone();
    burst(&mut tail, "Stranger", start + 4 * HOUR, 8, 5 * HOUR);
    assert_eq!(fired(&run(&rules(RULE), &tail), "Stranger").len(), 1);
    burst(&mut feed, "Stranger", start + 16 * HOUR, 20, 10 * MINUTE);
    let transitions = run(&rules(RULE), &feed);
    let alerts = fired(&transitions, "Stranger");
    assert_eq!(alerts.len(), 2);
    assert_ne!(alerts[0].alert_id, alerts[1].alert_id);
}

#[test]
fn the_same_news_at_a_busy_hour_is_less_surprising_than_in_a_quiet_night() {
    // Six weeks in which news comes on weekdays from 8 to 16 only.
    let mut feed = vec![];
    for day in (0..42).filter(|day| day % 7 < 5) {
        for number in 0..24 {
            let offset = feed.len() as i64;
            let time = MONDAY + day * DAY + (8 + number / 3) * HOUR;
            feed.push(message(offset, time, &format!("Company{}", (day + number) % 30), 0.9, &unlike(offset)));
        }
    }
    let expected = |start: i64| {
        let mut feed = feed.clone();
        burst(&mut feed, "Company1", start, 8, MINUTE);
        let transitions = run(&rules(&format!("{RULE}window = \"4h\"\n")), &feed);
        fired(&transitions, "Company1")[0].expected.unwrap()
    };
    let (busy, night) = (expected(MONDAY + 43 * DAY + 12 * HOUR), expected(MONDAY + 43 * DAY + 4 * HOUR));
    assert!(busy > 2.0 * night, "{busy} at noon, {night} at night");
}

#[test]
fn attention_counts_only_around_bad_news_and_only_if_asked() {
    let rule = |weight: &str| rules(&format!("{RULE}min_mass = 2.0\n{weight}"));
    let feed = |negatives: i64| {
        let mut feed = ordinary(28);
        for turn in 0..9 {
            let offset = feed.len() as i64;
            let time = MONDAY + 28 * DAY + turn * 10 * MINUTE;
            let mut observation =
                message(offset, time, "Stranger", if turn < negatives { 0.8 } else { 0.0 }, &unlike(offset));
            observation.positive = 0.0;
            feed.push(observation);
        }
        feed
    };
    let fires = |weight: &str, negatives| !fired(&run(&rule(weight), &feed(negatives)), "Stranger").is_empty();
    assert!(fires("neutral_weight = 0.3", 2));
    assert!(!fires("neutral_weight = 0.3", 1), "one negative headline is fewer than min_messages");
    assert!(!fires("", 2));
}

#[test]
fn what_is_grave_outweighs_what_is_merely_bad() {
    let weighed = format!("{RULE}ordinary_weight = 0.2\nmin_mass = 1.5\nmin_messages = 2\n");
    let message_rule =
        "[[rule]]\nname = \"m\"\nkind = \"message\"\nscope = \"entity\"\nmax_score = -0.5\nmin_gravity = 0.8\n";
    for (gravity, alerts) in [(1.0, 1), (0.0, 0)] {
        let mut feed = ordinary(28);
        let before = feed.len();
        burst(&mut feed, "Stranger", MONDAY + 28 * DAY + 10 * HOUR, 4, 30 * MINUTE);
        for observation in &mut feed[before..] {
            observation.gravity = gravity;
        }
        assert_eq!(fired(&run(&rules(&weighed), &feed), "Stranger").len(), alerts, "gravity {gravity}");
        assert_eq!(fired(&run(&rules(message_rule), &feed), "Stranger").len(), 4 * alerts, "gravity {gravity}");
    }
}
