use super::*;

fn row(lesson: Option<Lesson>) -> Row {
    let taught = Taught { lessons: vec![lesson], states: Vec::new() };
    let reading = Reading { tokens: inference::Tokens::new([1]), places: Box::new([Some(0)]) };
    Row { reading, text: None, targets: vec![Target::Label(0)], taught }
}

#[test]
fn what_labels_and_teachers_want_stands_side_by_side() {
    let lesson = Lesson { share: 0.25, wanted: vec![0.5, 0.5] };
    let (taught, alone) = (row(Some(lesson)), row(None));
    let labels = [[1f32, 0.0], [0.0, 1.0]];
    // Two rows, run twice.
    let wanted = Tensor::new(&[labels[0], labels[1], labels[0], labels[1]], &Device::Cpu).unwrap();
    let joined = join(wanted.clone(), &[&taught, &alone], 0).unwrap().to_vec2::<f32>().unwrap();
    let (first, second) = ([0.75, 0.0, 0.125, 0.125], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(joined, [first, second, first, second]);
    let plain = join(wanted.clone(), &[&alone, &alone], 0).unwrap();
    assert_eq!(plain.dims(), wanted.dims());
}

#[test]
fn texts_are_learned_for_the_tasks_that_teachers_are_sure_of() {
    let sure = Answer(vec![vec![4f32.ln(), 0.0]]);
    let unsure = Answer(vec![vec![0.0, 0.1]]);
    let with = |hard_above| Distillation {
        unlabelled: Some(Unlabelled { hard_above, ..Unlabelled::default() }),
        ..Distillation::default()
    };
    let mut lessons = Lessons::default();
    let answers = || Answers { tasks: vec![sure.clone(), Answer::default(), unsure.clone()], states: vec![7.0] };
    lessons.add_text("soft".to_owned(), answers(), &with(None));
    lessons.add_text("hard".to_owned(), answers(), &with(Some(0.79)));
    lessons.add_text("too hard".to_owned(), answers(), &with(Some(0.81)));
    let soft = &lessons.of_texts[&vec![0, 2]][0];
    assert_eq!((soft.text.as_str(), &soft.targets[..]), ("soft", &[0, 1].map(Target::Label)[..]));
    assert_eq!(soft.taught.lessons[0], Lesson::of(&sure, 1.0, 2.0));
    let hard = &lessons.of_texts[&vec![0]][0];
    let label = [Target::Label(0)];
    assert_eq!((hard.text.as_str(), &hard.targets[..], &hard.taught.lessons[..]), ("hard", &label[..], &[None][..]));
    assert_eq!((lessons.of_texts.len(), lessons.width()), (2, 1));
    assert!(Lesson::of(&Answer::default(), 1.0, 2.0).is_none());
}

#[test]
fn distances_are_counted_over_rows_with_states() {
    let (mut known, unknown) = (row(None), row(None));
    known.taught.states = vec![1.0, -1.0];
    let guessed = Tensor::new(&[[2f32, 1.0], [9.0, 9.0], [1.0, -1.0], [9.0, 9.0]], &Device::Cpu).unwrap();
    let distance = distance(&guessed, &[&known, &unknown]).unwrap().unwrap().to_scalar::<f32>().unwrap();
    // Two runs of one row that has states: 1 + 4 and 0, over four values.
    assert!((distance - 1.25).abs() < 1e-6, "{distance}");
    assert!(super::distance(&guessed, &[&unknown, &unknown]).is_none());
}
