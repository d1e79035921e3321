//! A browser's cookies and nothing else: redirects are looked at, not followed.

use std::collections::BTreeMap;

/// Somebody who visits a site.
pub(crate) struct Visitor {
    http: reqwest::Client,
    origin: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The header that set a cookie whose name begins like this.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        all.into_iter().find(|line| line.starts_with(name))
    }
}

impl Visitor {
    pub(crate) fn new(origin: &str) -> Self {
        // reqwest wants a provider for http, too. Another part of the program may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Self { http: http.build().unwrap(), origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// A page that a person opens; a path, or a whole address on whatever host.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.get_with(path, &[("sec-fetch-mode", "navigate"), ("accept", "text/html")]).await
    }

    /// A page that a person opens through a link on the site itself.
    pub(crate) async fn get_own(&mut self, path: &str) -> Page {
        let headers =
            [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
        self.get_with(path, &headers).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Page {
        let request = self.http.get(self.address(path));
        self.send(request, headers).await
    }

    /// A form of the site's own page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")])
            .await
    }

    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.address(path)).body(body);
        self.send(request.header("content-type", "application/x-www-form-urlencoded"), headers).await
    }

    /// Addresses of the site's public name lead to where it is served.
    fn address(&self, path: &str) -> String {
        match url::Url::parse(path) {
            Ok(url) => format!("{}{}", self.origin, &url[url::Position::BeforePath..]),
            Err(_) => format!("{}{path}", self.origin),
        }
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Page {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { status, headers, body: response.text().await.unwrap() }
    }
}
