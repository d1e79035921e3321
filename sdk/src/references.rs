//! From what servers return to strong references, and from posts to replies.

use crate::api::com::atproto::repo::{
    apply_writes, create_record, list_records, put_record, strong_ref::StrongRef,
};

/// Everything with the address and the version of a record refers to that version.
macro_rules! strong_refs {
    ($($type:ty)*) => { $(
        impl From<&$type> for StrongRef {
            fn from(record: &$type) -> Self {
                Self::new(record.uri.clone(), record.cid.clone())
            }
        }

        impl From<$type> for StrongRef {
            fn from(record: $type) -> Self {
                Self::new(record.uri, record.cid)
            }
        }
    )* };
}

strong_refs! {
    create_record::Output put_record::Output list_records::Record apply_writes::CreateResult apply_writes::UpdateResult
}

#[cfg(feature = "app-bsky")]
mod bsky {
    use super::StrongRef;
    use crate::api::app::bsky::{
        embed::record::ViewRecord,
        feed::{
            defs::{GeneratorView, PostView},
            post::ReplyRef,
        },
        graph::defs::{ListView, StarterPackView},
        notification::list_notifications::Notification,
    };

    strong_refs! { PostView GeneratorView ListView StarterPackView ViewRecord Notification }

    /// The reference in a reply to a post. The reply is in the thread of the post: its root is that of the post, or the post
    /// itself.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::{defs::PostView, post::{Post, ReplyRef}},
    ///     types::Datetime,
    /// };
    ///
    /// fn answer(post: &PostView) -> Post {
    ///     Post::new("I agree", Datetime::now()).reply(ReplyRef::from(post))
    /// }
    /// ```
    impl From<&PostView> for ReplyRef {
        fn from(post: &PostView) -> Self {
            // Something else in the post that cannot be read must not begin another thread.
            let root = post.record.get("reply.root").and_then(|root| root.decode().ok());
            let parent = StrongRef::from(post);
            Self::new(root.unwrap_or_else(|| parent.clone()), parent)
        }
    }

    #[cfg(feature = "client")]
    impl crate::records::Entry<crate::api::app::bsky::feed::post::Post> {
        /// Returns the reference in a reply to this post, if the server has named the version.
        ///
        /// ```no_run
        /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, record_key, types::{Datetime, Did}};
        ///
        /// # async fn example(client: Client, author: Did) -> Result<(), Box<dyn std::error::Error>> {
        /// let post = client.records_of::<Post>(author).get(&record_key!("3jzfcijpj2z2a")).await?;
        /// if let Some(reply) = post.reply_ref() {
        ///     client.records::<Post>().create(&Post::new("I agree", Datetime::now()).reply(reply)).await?;
        /// }
        /// # Ok(()) }
        /// ```
        pub fn reply_ref(&self) -> Option<ReplyRef> {
            let parent = self.strong_ref()?;
            let root = self.value.reply.as_ref().map_or_else(|| parent.clone(), |reply| reply.root.clone());
            Some(ReplyRef::new(root, parent))
        }
    }
}

#[cfg(all(test, feature = "app-bsky", feature = "client"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::{
        api::app::bsky::feed::{
            defs::PostView,
            post::{Post, ReplyRef},
        },
        types::{Datetime, Unknown},
    };

    const CID: &str = "bafyreigrey4aogz7sq5bxfaiwlcieaivxscvgs5ivgqczecmgv6nuvyvfu";

    fn post_view(rkey: &str, record: serde_json::Value) -> PostView {
        let view = json!({
            "uri": format!("at://did:web:example.com/app.bsky.feed.post/{rkey}"), "cid": CID, "record": record,
            "author": {"did": "did:web:example.com", "handle": "example.com"}, "indexedAt": "2026-01-01T00:00:00Z",
        });
        Unknown::from_serde(&view).unwrap().decode().unwrap()
    }

    #[test]
    fn a_reply_is_in_the_thread_of_the_post_that_it_answers() {
        let first = post_view("3jzfcijpj2z2a", json!({"text": "one", "createdAt": "2026-01-01T00:00:00Z"}));
        let reply = ReplyRef::from(&first);
        assert_eq!((&reply.root.uri, &reply.parent.uri), (&first.uri, &first.uri));

        let post = Post::new("two", Datetime::new("2026-01-01T00:00:00Z").unwrap()).reply(reply);
        let record = serde_json::to_value(&post).unwrap();
        let second = post_view("3jzfcijpj2z2b", record);
        let reply = ReplyRef::from(&second);
        assert_eq!((&reply.root.uri, &reply.parent.uri), (&first.uri, &second.uri));

        // Also if something else in the post cannot be read.
        let root = serde_json::to_value(&reply.root).unwrap();
        let third = post_view("3jzfcijpj2z2c", json!({"text": 7, "reply": {"root": root, "parent": null}}));
        let reply = ReplyRef::from(&third);
        assert_eq!((&reply.root.uri, &reply.parent.uri), (&first.uri, &third.uri));
        assert_eq!(StrongRef::from(&second), StrongRef::from(second.clone()));

        // What is no post is the root of its thread.
        let odd = post_view("3jzfcijpj2z2c", json!({"$type": "com.example.other"}));
        assert_eq!(ReplyRef::from(&odd).root.uri, odd.uri);
    }
}
