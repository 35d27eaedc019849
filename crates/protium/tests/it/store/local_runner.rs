use crate::on_both;
use protium::store::{local_runner_hold, local_runner_leave};
use protium::transaction;

on_both! {
    one_runner_alone_has_the_place_while_it_says_so_or_until_it_leaves, async |db| {
        let store = db.store();
        let hold = async |runner: &str| {
            transaction!(store, async |tx| { local_runner_hold(tx, runner, 1_000).await }).unwrap()
        };
        let leave = async |runner: &str| transaction!(store, async |tx| { local_runner_leave(tx, runner).await }).unwrap();
        assert_eq!(hold("a").await, None);
        assert!(hold("b").await.is_some_and(|more| (1..=1_000).contains(&more)));
        store.db().advance_clock(900);
        assert_eq!(hold("a").await, None, "it says so again");
        store.db().advance_clock(900);
        assert!(hold("b").await.is_some());
        leave("b").await;
        assert!(hold("b").await.is_some(), "only its own can be left");
        store.db().advance_clock(1_000);
        assert_eq!(hold("b").await, None, "nothing was heard of the other");
        assert!(hold("a").await.is_some());
        leave("b").await;
        assert_eq!(hold("a").await, None);
    }
}
