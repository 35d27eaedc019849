use crate::on_both;
use protium::store::{
    Bearing, GroupRow, HeldAs, Holder, PolicyRow, Store, UserRow, group_insert, inline_put, member_add, member_remove,
    policies_of, policy_attach, policy_insert, policy_update, user_get, user_insert,
};
use protium::transaction;
use protium_domain::iam::holder::HolderKind;

const ACCOUNT: &str = "123456789012";

fn holder(kind: HolderKind, id: &str, name: &str) -> Holder {
    Holder { account: ACCOUNT.into(), kind, id: id.into(), name: name.into() }
}

fn policy(name: &str, document: &str) -> PolicyRow {
    PolicyRow {
        account: ACCOUNT.into(),
        id: format!("ANPA{name}"),
        name: name.into(),
        description: None,
        document: document.into(),
        created_at: 7,
        updated_at: 7,
    }
}

/// Name, document and kind of what bears on a holder.
async fn bearing(store: &Store, id: &str) -> Vec<(String, String, HeldAs)> {
    let found = policies_of(&mut store.reader().await.unwrap(), ACCOUNT, id).await.unwrap();
    found.into_iter().map(|Bearing { name, document, held_as, .. }| (name, document, held_as)).collect()
}

on_both! {
    what_bears_on_a_user_is_its_own_and_its_groups, async |db| {
        let store = &db.store();
        let user = UserRow { holder: holder(HolderKind::User, "AIDA1", "Ada"), tags: vec![("team".into(), "blue".into())], created_at: 7 };
        let group = GroupRow { holder: holder(HolderKind::Group, "AGPA1", "makers"), created_at: 7 };
        let role = holder(HolderKind::Role, "AROA1", "ci");
        transaction!(store, async |tx| {
            assert!(user_insert(tx, &user).await?);
            assert!(group_insert(tx, &group).await?);
            for (name, document) in [("own", "1"), ("shared", "2"), ("fence", "3")] {
                assert!(policy_insert(tx, &policy(name, document)).await?);
            }
            policy_attach(tx, &user.holder, "ANPAown", HeldAs::Policy).await?;
            policy_attach(tx, &user.holder, "ANPAown", HeldAs::Boundary).await?;
            policy_attach(tx, &user.holder, "ANPAfence", HeldAs::Boundary).await?;
            policy_attach(tx, &group.holder, "ANPAshared", HeldAs::Policy).await?;
            policy_attach(tx, &role, "ANPAshared", HeldAs::Policy).await?;
            inline_put(tx, &user.holder, "a", "old").await?;
            inline_put(tx, &user.holder, "A", "4").await?;
            inline_put(tx, &group.holder, "b", "5").await?;
            member_add(tx, &user.holder, &group.holder).await?;
            member_add(tx, &user.holder, &group.holder).await
        }).unwrap();
        let of = |name: &str, document: &str, held_as| (name.to_owned(), document.to_owned(), held_as);
        let own = [
            of("a, embedded in the user Ada", "4", HeldAs::Policy),
            of("fence", "3", HeldAs::Boundary),
            of("own", "1", HeldAs::Policy),
        ];
        let mut both = own.to_vec();
        both.insert(1, of("b, embedded in the group makers", "5", HeldAs::Policy));
        both.push(of("shared, through the group makers", "2", HeldAs::Policy));
        assert_eq!(bearing(store, "AIDA1").await, both);
        assert_eq!(bearing(store, "AROA1").await, [of("shared", "2", HeldAs::Policy)]);
        transaction!(store, async |tx| {
            policy_update(tx, &policy("shared", "6")).await?;
            member_remove(tx, &user.holder, &group.holder).await.map(drop)
        }).unwrap();
        assert_eq!(bearing(store, "AIDA1").await, own);
        assert_eq!(bearing(store, "AROA1").await, [of("shared", "6", HeldAs::Policy)]);
        let found = user_get(&mut store.reader().await.unwrap(), ACCOUNT, "ADA").await.unwrap();
        assert_eq!(found, Some(user));
    }

    names_are_told_apart_without_regard_to_case, async |db| {
        let store = &db.store();
        let user = |id: &str, name: &str| UserRow { holder: holder(HolderKind::User, id, name), tags: Vec::new(), created_at: 7 };
        for (id, name, made) in [("AIDA1", "ada", true), ("AIDA2", "ADA", false), ("AIDA3", "ad", true)] {
            let inserted = transaction!(store, async |tx| { user_insert(tx, &user(id, name)).await });
            assert_eq!(inserted.unwrap(), made, "{name}");
        }
    }

    a_policy_that_is_built_in_is_attached_without_a_row, async |db| {
        let store = &db.store();
        let role = holder(HolderKind::Role, "AROA1", "ci");
        transaction!(store, async |tx| {
            policy_attach(tx, &role, "ProtiumReadOnlyAccess", HeldAs::Policy).await
        }).unwrap();
        let found = bearing(store, "AROA1").await;
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == "ProtiumReadOnlyAccess" && found[0].1.contains("proton:Get"), "{found:?}");
    }
}
