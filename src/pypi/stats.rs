//! Prunes the list of the largest projects that `/stats/` gives to those who accept JSON.

use std::borrow::Cow;

use super::json::{self, Member, find};
use super::pruned::Pruned;
use super::{Judge, Malformed};
use crate::name::{NameBuffer, NameRef, Subject};

/// The member with the list: an object whose keys are projects' names as their owners write them.
const LIST: &str = "top_packages";

/// Removes the hidden projects from `bytes`, and what bears no project's name. Never empties: a list of none is one.
///
/// # Errors
/// [`Malformed`] if it isn't such a document.
pub fn prune<'a>(bytes: &'a [u8], judge: &mut dyn Judge) -> Result<Pruned<'a>, Malformed> {
    let document = json::document(bytes)?;
    let members = document.members()?.ok_or(Malformed::Shape("statistics are an object"))?;
    let list = find(&members, LIST).ok_or(Malformed::Shape("statistics have `top_packages`"))?;
    let projects = list.members()?.ok_or(Malformed::Shape("`top_packages` is not an object"))?;
    let (kept, removed) = keep(projects, judge)?;
    if removed == 0 {
        return Ok(Pruned { body: Cow::Borrowed(bytes), removed, emptied: false });
    }
    let list = json::write_object(kept.iter(), write_as_it_was);
    let body = json::write_object(members.iter(), |member, out| {
        if member.key.is(LIST) { out.extend_from_slice(&list) } else { write_as_it_was(member, out) }
    });
    Ok(Pruned { body: Cow::Owned(body), removed, emptied: false })
}

fn keep<'a>(projects: Vec<Member<'a>>, judge: &mut dyn Judge) -> Result<(Vec<Member<'a>>, u64), Malformed> {
    let mut kept = Vec::with_capacity(projects.len());
    let (mut removed, mut buffer) = (0, NameBuffer::default());
    for project in projects {
        let name = project.key.decode_bytes()?;
        match NameRef::fold(&name, &mut buffer) {
            Ok(name) if !judge.hides(Subject::Project(name)) => kept.push(project),
            _ => removed += 1,
        }
    }
    Ok((kept, removed))
}

fn write_as_it_was(member: &Member<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(member.value.bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::pypi::testing::Hiding;

    fn pruned(source: &str) -> Result<(String, u64), Malformed> {
        let pruned = prune(source.as_bytes(), &mut Hiding::names(&["acme"]))?;
        assert_eq!(matches!(pruned.body, Cow::Borrowed(_)), pruned.removed == 0);
        assert!(!pruned.emptied);
        Ok((String::from_utf8(pruned.body.into_owned()).unwrap(), pruned.removed))
    }

    #[test]
    fn nothing_hidden_nothing_changed() {
        for source in [
            r#" {"top_packages": {"TensorFlow" : {"size": 1e3}, "six":{}}, "total_packages_size": 12 } "#,
            r#"{"top_packages":{ }}"#,
        ] {
            assert_eq!(pruned(source), Ok((source.to_owned(), 0)));
        }
    }

    #[test]
    fn hidden_members_go_and_the_others_keep_their_bytes() {
        let source = concat!(
            r#"{"total_packages_size": 12 ,"top_packages":{"ACME":{"size":9},"Six" : { "size":8.0 },"\u0061cme-":{"size":7},"#,
            r#""hidden_x":{},"\u0061b":{"size":7}},"acme":[ ]}"#,
        );
        let expected =
            r#"{"total_packages_size":12,"top_packages":{"Six":{ "size":8.0 },"\u0061b":{"size":7}},"acme":[ ]}"#;
        assert_eq!(pruned(source), Ok((expected.to_owned(), 3)));
        assert_eq!(pruned(r#"{"top\u005fpackages":{"Acme":1}}"#), Ok((r#"{"top\u005fpackages":{}}"#.to_owned(), 1)));
    }

    #[test]
    fn each_project_is_asked_for_once() {
        let mut judge = Hiding::names(&["acme"]);
        assert!(prune(br#"{"top_packages":{"a":{},"Acme":{},"b":{},"not a name":{}}}"#, &mut judge).is_ok());
        assert_eq!(judge.asked, 3);
    }

    #[test]
    fn what_is_no_such_document_is_refused() {
        for source in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"top_packages":null}"#,
            r#"{"top_packages":["acme"]}"#,
            r#"{"top_packages":{"a":{},"a":{}}}"#,
            r#"{"top_packages":{},"top\u005fpackages":{"acme":{}}}"#,
            r#"{"top_packages":{"\ud800":{}}}"#,
            r#"{"top_packages":{}} {}"#,
            r#"{"top_packages":{"acme":{}"#,
        ] {
            assert!(pruned(source).is_err(), "{source}");
        }
    }

    proptest! {
        #[test]
        fn just_the_visible_ones_are_left(names in proptest::collection::btree_map("(acme|hidden-)?[a-zA-Z._ é-]{0,6}", 0..9_u64, 0..8)) {
            let list: Map<String, Value> = names.iter().map(|(name, size)| (name.clone(), json!({"size": size}))).collect();
            let source = json!({"top_packages": list, "total_packages_size": 7});
            let (body, removed) = pruned(&source.to_string()).unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            let judge = Hiding::names(&["acme"]);
            let seen = |name: &str| name.parse::<crate::name::ProjectName>().is_ok_and(|name| !judge.is_hidden(name.as_name()));
            let expected: Map<String, Value> = list.clone().into_iter().filter(|(name, _)| seen(name)).collect();
            prop_assert_eq!(removed as usize, list.len() - expected.len());
            prop_assert_eq!(&body["top_packages"], &Value::Object(expected));
            prop_assert_eq!(&body["total_packages_size"], &json!(7));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _pruned = prune(&bytes, &mut Hiding::default());
        }
    }
}
