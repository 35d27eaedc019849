use super::scope;
use crate::on_both;
use protium::store::{
    DbError, Store, event_list, template_add, template_count, template_delete, template_get, template_insert,
    template_page, template_save,
};
use protium::{params, transaction};
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::template::{Origin, Template, TemplateKind};
use std::collections::BTreeMap;

const KIND: TemplateKind = TemplateKind::Environment;

fn template(name: &str, random: u8) -> Template {
    Template {
        revision: 0,
        id: Id::from_random([random; 16]),
        kind: KIND,
        name: name.into(),
        display_name: format!("The {name}"),
        description: None,
        encryption_key: None,
        customer_managed: false,
        created_at: 7,
        modified_at: 7,
        recommended: None,
        last_minors: BTreeMap::new(),
        origin: Origin::new("hash".into()),
        unknown: serde_json::Map::new(),
    }
}

async fn insert(store: &Store, template: &Template) -> bool {
    transaction!(store, async |tx| -> Result<bool, DbError> { template_insert(tx, &scope(), template).await }).unwrap()
}

async fn add(store: &Store, template: &Template) -> Result<(), DbError> {
    transaction!(store, async |tx| -> Result<(), DbError> { template_add(tx, &scope(), template).await })
}

async fn save(store: &Store, template: &mut Template) -> bool {
    transaction!(store, async |tx| -> Result<bool, DbError> { template_save(tx, template, None, 9).await }).unwrap()
}

async fn get(store: &Store, name: &str) -> Option<Template> {
    template_get(&mut store.reader().await.unwrap(), &scope(), KIND, name).await.unwrap()
}

on_both! {
    a_template_is_what_was_stored, async |db| {
        let store = db.store();
        let stored = template("a", 1);
        assert!(insert(&store, &stored).await);
        assert_eq!(get(&store, "a").await, Some(stored));
        let mut reader = store.reader().await.unwrap();
        let service = template_get(&mut reader, &scope(), TemplateKind::Service, "a").await.unwrap();
        assert_eq!(service, None, "the kinds are separate namespaces");
        let elsewhere = Scope { account: "other".into(), ..scope() };
        assert_eq!(template_get(&mut reader, &elsewhere, KIND, "a").await.unwrap(), None);
    }

    a_taken_name_is_not_stored_again, async |db| {
        let store = db.store();
        assert!(insert(&store, &template("a", 1)).await);
        assert!(!insert(&store, &template("a", 2)).await);
        assert_eq!(get(&store, "a").await.unwrap().id, Id::from_random([1; 16]));
        let mut reader = store.reader().await.unwrap();
        let events = event_list(&mut reader, Id::from_random([2; 16]).as_str()).await.unwrap();
        assert_eq!(events, []);
    }

    additions_that_meet_are_stored_or_refused_each_for_itself, async |db| {
        let store = db.store();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..90_u8 {
            // Every third name is given twice.
            let name = format!("template-{}", number % 60);
            let (store, template) = (store.clone(), template(&name, number));
            tasks.spawn(async move { (template.id.clone(), add(&store, &template).await) });
        }
        let ended = tasks.join_all().await;
        let refused: Vec<&DbError> = ended.iter().filter_map(|(_, added)| added.as_ref().err()).collect();
        assert_eq!(refused.len(), 30);
        assert!(refused.iter().all(|error| error.is_unique_violation()), "{refused:?}");
        let mut reader = store.reader().await.unwrap();
        assert_eq!(template_count(&mut reader, &scope()).await.unwrap(), 60);
        for (id, added) in &ended {
            let events = event_list(&mut reader, id.as_str()).await.unwrap();
            assert_eq!(events.len(), usize::from(added.is_ok()), "{id:?}");
        }
    }

    an_addition_whose_caller_gives_up_holds_nobody_up, async |db| {
        let store = db.store();
        for number in 0..40_u8 {
            let template = template(&format!("left-{number}"), number);
            let mut addition = Box::pin(async { add(&store, &template).await });
            // Sent, perhaps; waited for, no longer.
            let _ = futures::poll!(&mut addition);
        }
        add(&store, &template("wanted", 99)).await.unwrap();
        assert!(get(&store, "wanted").await.is_some());
        assert!(add(&store, &template("wanted", 98)).await.unwrap_err().is_unique_violation());
    }

    of_two_saves_of_the_same_revision_one_is_lost, async |db| {
        let store = db.store();
        insert(&store, &template("a", 1)).await;
        let (mut mine, mut yours) = (get(&store, "a").await.unwrap(), get(&store, "a").await.unwrap());
        mine.display_name = "mine".into();
        yours.display_name = "yours".into();
        assert!(save(&store, &mut mine).await);
        assert!(!save(&store, &mut yours).await);
        assert_eq!(get(&store, "a").await, Some(mine.clone()));
        // Whoever saved may save again without reading again.
        mine.display_name = "mine again".into();
        assert!(save(&store, &mut mine).await);
    }

    a_stale_save_does_not_touch_a_namesake_that_was_made_later, async |db| {
        let store = db.store();
        insert(&store, &template("a", 1)).await;
        let mut stale = get(&store, "a").await.unwrap();
        transaction!(store, async |tx| -> Result<(), DbError> { template_delete(tx, &stale, 8).await }).unwrap();
        insert(&store, &template("a", 2)).await;
        stale.display_name = "stale".into();
        assert!(!save(&store, &mut stale).await);
        assert_eq!(get(&store, "a").await, Some(template("a", 2)));
    }

    pages_go_on_after_a_name_in_the_order_of_bytes, async |db| {
        let store = db.store();
        for (number, name) in (1..).zip(["a", "_", "Z", "b", "a-1"]) {
            insert(&store, &template(name, number)).await;
        }
        let mut reader = store.reader().await.unwrap();
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let page = template_page(&mut reader, &scope(), KIND, &after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.name.clone();
            names.extend(page.into_iter().map(|template| template.name));
        }
        assert_eq!(names, ["Z", "_", "a", "a-1", "b"]);
        assert_eq!(template_count(&mut reader, &scope()).await.unwrap(), 5);
    }

    members_that_a_newer_program_wrote_survive_a_save, async |db| {
        let store = db.store();
        insert(&store, &template("a", 1)).await;
        transaction!(store, async |tx| -> Result<(), DbError> {
            let mut row = tx.query_one("SELECT doc FROM template", params![]).await?;
            let doc = row.text(0)?.replacen('{', r#"{"later":{"x":1},"#, 1);
            tx.execute("UPDATE template SET doc = $1", params![&doc]).await?;
            Ok(())
        }).unwrap();
        let mut read = get(&store, "a").await.unwrap();
        read.display_name = "new".into();
        assert!(save(&store, &mut read).await);
        let mut reader = store.reader().await.unwrap();
        let doc = reader.query_one("SELECT doc FROM template", params![]).await.unwrap().text(0).unwrap();
        assert!(doc.contains(r#""later":{"x":1}"#), "{doc}");
    }

    a_change_of_a_template_is_an_event_of_its_revision, async |db| {
        let store = db.store();
        insert(&store, &template("a", 1)).await;
        let stored = get(&store, "a").await.unwrap();
        transaction!(store, async |tx| -> Result<(), DbError> { template_delete(tx, &stored, 8).await }).unwrap();
        let mut reader = store.reader().await.unwrap();
        let events = event_list(&mut reader, stored.id.as_str()).await.unwrap();
        let seen: Vec<_> = events.iter().map(|event| (event.revision, event.at)).collect();
        assert_eq!(seen, [(0, 7), (1, 8)]);
        assert!(events[1].detail.contains("DELETED"));
    }
}
