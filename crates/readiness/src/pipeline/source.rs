//! The text of a pipeline's file as a tree.

use crate::finding::Place;
use crate::tree::{Contents, Tree};
use crate::yaml::{self, Node};

/// The first document of a file, none when it is empty; or where and why it is not read.
pub(super) fn document(tree: &Tree, file: &str) -> Result<Option<Node>, (Place, String)> {
    match tree.contents(file) {
        Some(Contents::Text(text)) => match yaml::document(text) {
            Ok(root) => Ok(root.filter(|root| !root.is_null())),
            Err(unread) => Err((unread.place, unread.why)),
        },
        Some(Contents::Unread(why)) => Err((Place::START, format!("was not read: {why}"))),
        Some(Contents::Binary | Contents::NotWanted) => Err((Place::START, "is no text".into())),
        None => Err((Place::START, "is not there".into())),
    }
}
