//! Contenders take turns, so that what the machine does beside hits all of them alike; medians count.

use std::time::Duration;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::{Effort, note};

/// Something that runs for a while and tells how many operations per second it did.
pub(crate) struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut(Duration) -> LocalBoxFuture<'a, Result<f64>> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new<F>(name: &str, mut run: impl FnMut(Duration) -> F + 'a) -> Self
    where
        F: Future<Output = Result<f64>> + 'a,
    {
        Self { name: name.to_owned(), run: Box::new(move |time| Box::pin(run(time))) }
    }
}

/// The median of each contender, in their order.
pub(crate) async fn race(what: &str, effort: Effort, mut contenders: Vec<Contender<'_>>) -> Result<Vec<f64>> {
    let warm_up = effort.round.min(Duration::from_secs(1));
    for contender in &mut contenders {
        (contender.run)(warm_up).await?;
    }
    let mut rates = vec![Vec::new(); contenders.len()];
    for _ in 0..effort.rounds {
        for (contender, rates) in contenders.iter_mut().zip(&mut rates) {
            rates.push((contender.run)(effort.round).await?);
        }
    }
    let medians: Vec<f64> = rates.into_iter().map(median).collect();
    let words: Vec<String> =
        contenders.iter().zip(&medians).map(|(contender, rate)| format!("{} {rate:.0} /s", contender.name)).collect();
    note(format!("{what}: {}", words.join(", ")));
    Ok(medians)
}

/// The middle of some numbers; 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = numbers.get(middle).copied().unwrap_or_default();
    if numbers.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|index| numbers.get(index)).copied().unwrap_or_default();
    f64::midpoint(lower, upper)
}
