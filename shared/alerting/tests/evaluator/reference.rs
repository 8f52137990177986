//! Threshold and message rules against a model that looks at every minute and every message of the sorted set.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::{HOUR, MINUTE, MONDAY, brief, message, rules, run, unlike};
use alerting::{Bound, Condition, Metric, Observation, Rule, RuleSet, Scope};
use foundation::time::duration_text;
use proptest::prelude::*;

type Brief = (String, String, &'static str, i64);

/// What a threshold rule does to one scope, minute by minute, from nothing but the list of its messages.
fn model(rule: &Rule, scope: &str, messages: &[Observation]) -> Vec<Brief> {
    let Condition::Threshold(threshold) = &rule.condition else { panic!("not a threshold rule") };
    let minutes = |duration: std::time::Duration| (duration.as_secs() / 60) as i64;
    let (hold, cool_down) = (minutes(rule.hold), minutes(rule.cool_down));
    let (resolve_after, window) = (minutes(rule.resolve_after), minutes(threshold.window));
    let mut seen = vec![];
    let (mut since, mut firing, mut over_since, mut cool_until) = (None, false, None, 0);
    for now in 0..72 * 60 {
        let inside: Vec<&Observation> = messages
            .iter()
            .filter(|message| {
                let minute = (message.time.millis() - MONDAY) / MINUTE;
                minute <= now && minute > now - window
            })
            .collect();
        let count = inside.len() as f64;
        let negatives = inside.iter().filter(|message| message.negative >= threshold.min_negative).count() as f64;
        let value = match threshold.metric {
            Metric::Count => count,
            Metric::NegativeCount => negatives,
            Metric::NegativeMass => inside.iter().map(|message| f64::from(message.negative)).sum(),
            Metric::MeanScore => inside.iter().map(|message| f64::from(message.score)).sum::<f64>() / count,
            Metric::NegativeShare => negatives / count,
        };
        let enough = inside.len() as u64 >= threshold.min_messages;
        let (breach, over) = match threshold.bound {
            Bound::AtLeast(bound) => (enough && value >= bound, !enough || value < threshold.resolve),
            Bound::AtMost(bound) => (enough && value <= bound, !enough || value > threshold.resolve),
        };
        let mut tell = |state| seen.push((rule.name.to_string(), scope.to_owned(), state, now));
        if firing {
            over_since = if over { over_since.or(Some(now)) } else { None };
            if over_since.is_some_and(|since| now >= since + resolve_after) {
                tell("resolved");
                (firing, since, over_since) = (false, None, None);
            }
        } else if breach {
            let began = *since.get_or_insert(now);
            if now >= began + hold && now >= cool_until {
                tell("firing");
                (firing, cool_until) = (true, now + cool_down);
            }
        } else {
            since = None;
        }
    }
    seen
}

fn expected(rules: &RuleSet, observations: &[Observation]) -> Vec<Brief> {
    let mut all = vec![];
    for (index, rule) in rules.rules().iter().enumerate() {
        let scopes: BTreeSet<String> = match rule.scope {
            Scope::Entity => observations.iter().map(|o| o.entities[0].name.to_string()).collect(),
            Scope::Topic => {
                observations.iter().filter_map(|o| o.label_topic.as_ref().map(ToString::to_string)).collect()
            }
            Scope::All => ["*".to_owned()].into(),
        };
        for scope in scopes {
            let mine: Vec<Observation> = observations
                .iter()
                .filter(|observation| match rule.scope {
                    Scope::Entity => *observation.entities[0].name == scope,
                    Scope::Topic => observation.label_topic.as_deref() == Some(&scope),
                    Scope::All => true,
                })
                .cloned()
                .collect();
            all.extend(model(rule, &scope, &mine).into_iter().map(|transition| (index, transition)));
        }
    }
    all.sort_by(|(a_rule, a), (b_rule, b)| (a.3, a_rule, &a.1).cmp(&(b.3, b_rule, &b.1)));
    all.into_iter().map(|(_, transition)| transition).collect()
}

prop_compose! {
    fn threshold_rule()(
        scope in prop::sample::select(vec!["entity", "topic", "all"]),
        // Bounds that no sum of the generated values meets by rounding.
        metric in prop::sample::select(vec![
            ("count", "at_least", 3.0, 2.0),
            ("negative_count", "at_least", 2.0, 1.0),
            ("negative_mass", "at_least", 2.013, 0.517),
            ("mean_score", "at_most", -0.3017, 0.1013),
            ("mean_score", "at_least", 0.1017, -0.2013),
            ("negative_share", "at_least", 0.651, 0.351),
        ]),
        window in 1_u64..300,
        hold in 0_u64..90,
        cool_down in 0_u64..300,
        resolve_after in 0_u64..90,
        min_messages in 1_u64..4,
        hysteresis in any::<bool>(),
    ) -> String {
        let text = |minutes: u64| duration_text::format(std::time::Duration::from_secs(minutes * 60));
        let (metric, bound, fires, resolves) = metric;
        let resolve = if bound == "at_least" { "resolve_below" } else { "resolve_above" };
        let resolve = if hysteresis { format!("{resolve} = {resolves}") } else { String::new() };
        format!(
            "[[rule]]\nname = \"r\"\nkind = \"threshold\"\nscope = {scope:?}\nmetric = {metric:?}\n{bound} = {fires:?}\n{resolve}\n\
             window = {:?}\nfor = {:?}\ncool_down = {:?}\nresolve_after = {:?}\nmin_messages = {min_messages}\n",
            text(window), text(hold), text(cool_down), text(resolve_after),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn threshold_rules_do_what_the_model_does(
        rule in threshold_rule(),
        picks in prop::collection::vec((0_i64..30 * 60, 0_usize..3, 1_u8..100), 1..60),
    ) {
        let rules = rules(&rule);
        let observations: Vec<Observation> = picks
            .iter()
            .enumerate()
            .map(|(offset, (minute, entity, negative))| {
                let name = ["Acme", "Bolt", "Core"][*entity];
                let time = MONDAY + minute * MINUTE;
                message(offset as i64, time, name, f32::from(*negative) / 100.0, &unlike(offset as i64))
            })
            .collect();
        prop_assert_eq!(brief(&run(&rules, &observations)), expected(&rules, &observations));
    }
}

fn message_rule(extra: &str) -> Arc<RuleSet> {
    rules(&format!("[[rule]]\nname = \"m\"\nkind = \"message\"\nscope = \"entity\"\nmax_score = -0.5\n{extra}"))
}

#[test]
fn a_message_rule_fires_once_per_story_and_entity() {
    let story = "Acme recalls two million toasters after fires in several homes";
    let observations = [
        message(1, MONDAY, "Acme", 0.9, story),
        message(2, MONDAY + HOUR, "Acme", 0.9, &format!("UPDATE 2-{story}")),
        message(3, MONDAY + HOUR, "Bolt", 0.9, story),
        message(
            4,
            MONDAY + 2 * HOUR,
            "Acme",
            0.9,
            "Acme chief executive resigns amid accounting investigation by regulators",
        ),
        message(5, MONDAY + 2 * HOUR, "Acme", 0.2, &unlike(5)),
        message(6, MONDAY + 40 * HOUR, "Acme", 0.9, story),
    ];
    let of = |entity: &str, state, minutes| ("m".to_owned(), entity.to_owned(), state, minutes);
    assert_eq!(
        brief(&run(&message_rule("resolve_after = \"30m\""), &observations)),
        [
            of("Acme", "firing", 0),
            of("Acme", "resolved", 30),
            of("Bolt", "firing", 60),
            of("Bolt", "resolved", 90),
            of("Acme", "firing", 120),
            of("Acme", "resolved", 150),
            of("Acme", "firing", 2400),
            of("Acme", "resolved", 2430),
        ]
    );
}

#[test]
fn two_stories_of_one_instant_are_two_alerts_unless_the_cool_down_forbids_it() {
    let observations = [message(1, MONDAY, "Acme", 0.9, &unlike(1)), message(2, MONDAY, "Acme", 0.9, &unlike(2))];
    let fired = |rules: &Arc<RuleSet>| {
        let transitions = run(rules, &observations);
        transitions.iter().map(|transition| transition.alert_id.clone()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(fired(&message_rule("")), 2);
    assert_eq!(fired(&message_rule("cool_down = \"1m\"")), 1);
}

#[test]
fn filters_keep_messages_out() {
    let observations = [message(1, MONDAY, "Acme", 0.9, &unlike(1))];
    let fires = |filter: &str| !run(&message_rule(filter), &observations).is_empty();
    assert!(fires(
        "topics = [\"Legal\"]\nexclude_topics = [\"earnings\"]\nentities = [\"Acme\"]\nsources = [\"wire\"]\nmin_relevance = 1.0"
    ));
    for filter in
        ["topics = [\"earnings\"]", "exclude_topics = [\"Legal\"]", "entities = [\"Bolt\"]", "sources = [\"blog\"]"]
    {
        assert!(!fires(filter), "{filter}");
    }
    let mut unlabelled = message(1, MONDAY, "Acme", 0.9, &unlike(1));
    unlabelled.label_topic = None;
    assert!(!run(&message_rule("exclude_topics = [\"legal\"]"), &[unlabelled]).is_empty());
    let mut faint = message(1, MONDAY, "Acme", 0.9, &unlike(1));
    faint.entities[0].relevance = 0.4;
    assert!(run(&message_rule("min_relevance = 0.5"), &[faint]).is_empty());
}
