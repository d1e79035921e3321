//! Calls of methods without generated bindings.

use std::{fmt, future::IntoFuture, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{
    BoxFuture, ByteStream, Caller, Error, InvalidRequest, Kind, QueryString, RequestBody, Response,
    call::{JSON, concrete, unknown},
    exchange::{Outgoing, Reading, exchange},
    options::{CallOptions, call_options},
    request::MethodName,
};
use crate::types::{Nsid, Unknown};

/// A call of a method by its NSID; created by `client.get(..)` and `client.post(..)`.
///
/// The output is not decoded. A response without a body is `null`.
#[must_use = "a call is not sent until it is awaited"]
pub struct UntypedCall<'c> {
    caller: Caller<'c>,
    kind: Kind,
    nsid: Arc<str>,
    query: String,
    body: RequestBody,
    content_type: Option<&'static str>,
    options: Option<Box<CallOptions>>,
}

impl<'c> UntypedCall<'c> {
    /// Creates a query. The parameters must serialize to an object. Arrays repeat the name, `null` is omitted.
    pub fn get(caller: Caller<'c>, nsid: &Nsid, params: &(impl Serialize + ?Sized)) -> Self {
        let (nsid, mut options) = method(nsid);
        let query = query_of(&nsid, params).unwrap_or_else(|problem| {
            options.get_or_insert_default().report(problem);
            String::new()
        });
        let (kind, body, content_type) = (Kind::Query, RequestBody::Empty, None);
        Self { caller, kind, nsid, query, body, content_type, options }
    }

    /// Creates a procedure with a JSON body.
    pub fn post(caller: Caller<'c>, nsid: &Nsid, input: &(impl Serialize + ?Sized)) -> Self {
        let (nsid, mut options) = method(nsid);
        let body = match serde_json::to_vec(input) {
            Ok(json) => RequestBody::Bytes(json.into()),
            Err(problem) => {
                let problem = Arc::new(problem);
                let nsid = nsid.clone();
                options.get_or_insert_default().report(InvalidRequest::UntypedInput { nsid, problem });
                RequestBody::Empty
            }
        };
        let (kind, query, content_type) = (Kind::Procedure, String::new(), Some(JSON));
        Self { caller, kind, nsid, query, body, content_type, options }
    }

    /// Creates a procedure with a body of bytes, whose type is set with [`content_type`](Self::content_type), and whose
    /// parameters with [`query_param`](Self::query_param).
    pub fn post_bytes(caller: Caller<'c>, nsid: &Nsid, body: impl Into<RequestBody>) -> Self {
        let (nsid, options) = method(nsid);
        let (kind, query, content_type) = (Kind::Procedure, String::new(), Some(concrete("*/*")));
        Self { caller, kind, nsid, query, body: body.into(), content_type, options }
    }

    /// Sets the media type of the body, such as `video/mp4`.
    pub fn content_type(self, mime: &str) -> Self {
        self.header("content-type", mime)
    }

    call_options!();

    /// Sends the call and returns the output with status and headers.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn send(self) -> Result<Response<Unknown>, Error> {
        let (caller, call) = self.outgoing();
        let nsid = call.nsid.clone();
        Ok(unknown(&nsid, exchange(caller, call, Reading::UNKNOWN).await?)?)
    }

    /// Sends the call and returns the body of the response as it is, whatever its content type.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, nsid};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let params = serde_json::json!({"id": "3jzfcijpj2z2a"});
    /// let image = client.get(&nsid!("com.example.shop.getPicture"), &params).send_bytes().await?;
    /// println!("{} bytes", image.output.bytes(1 << 20).await?.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn send_bytes(self) -> Result<Response<ByteStream>, Error> {
        let (caller, call) = self.outgoing();
        Ok(exchange(caller, call, Reading::NONE).await?.unread())
    }

    fn outgoing(self) -> (Caller<'c>, Outgoing) {
        let Self { caller, kind, nsid, query, body, content_type, options } = self;
        let nsid = MethodName::Given(nsid);
        (caller, Outgoing { kind, nsid, query, body, content_type, accept: Some(JSON), options })
    }
}

impl<'c> IntoFuture for UntypedCall<'c> {
    type Output = Result<Unknown, Error>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await.map(Response::into_output) })
    }
}

impl fmt::Debug for UntypedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedCall").field("nsid", &self.nsid).finish_non_exhaustive()
    }
}

/// The name of a method, and options with a problem if it was decoded and is not valid: it becomes a part of the URL.
fn method(nsid: &Nsid) -> (Arc<str>, Option<Box<CallOptions>>) {
    let (name, mut options) = (Arc::<str>::from(nsid.as_str()), None::<Box<CallOptions>>);
    if !nsid.is_valid() {
        options.get_or_insert_default().report(InvalidRequest::Method { nsid: Arc::clone(&name) });
    }
    (name, options)
}

/// Encodes an object as a query string.
fn query_of(nsid: &Arc<str>, params: &(impl Serialize + ?Sized)) -> Result<String, InvalidRequest> {
    let refuse = |name: &str| InvalidRequest::Parameter { nsid: nsid.clone(), name: name.to_owned() };
    let fields = match serde_json::to_value(params) {
        Ok(Value::Object(fields)) => fields,
        Ok(Value::Null) => return Ok(String::new()),
        _ => return Err(refuse("")),
    };
    let mut query = QueryString::default();
    for (name, value) in &fields {
        match value {
            Value::Array(values) => {
                for value in values {
                    push(&mut query, name, value).ok_or_else(|| refuse(name))?;
                }
            }
            value => push(&mut query, name, value).ok_or_else(|| refuse(name))?,
        }
    }
    Ok(query.into_string())
}

fn push(query: &mut QueryString, name: &str, value: &Value) -> Option<()> {
    match value {
        Value::Null => {}
        Value::String(text) => query.push_text(name, text),
        Value::Bool(_) | Value::Number(_) => query.push_text(name, &value.to_string()),
        Value::Array(_) | Value::Object(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn x2_parameters_of_untyped_calls() {
        let nsid: Arc<str> = "com.example.list".into();
        let query =
            query_of(&nsid, &json!({"a": ["x y", "ü"], "b": true, "c": 5, "d": null})).unwrap_or_default();
        assert_eq!(query, "a=x%20y&a=%C3%BC&b=true&c=5");
        assert_eq!(query_of(&nsid, &()).unwrap_or_default(), "");
        for bad in [json!([1]), json!("x"), json!({"a": {"b": 1}}), json!({"a": [[1]]})] {
            assert!(query_of(&nsid, &bad).is_err(), "{bad}");
        }
    }
}
