//! The proxy does what it is told, in front of a real PDS.

use std::time::{Duration, Instant};

use tests::{
    Network,
    faults::{Body, Delivered, Fault, FaultProxy, Kind, Matches, Point, Seed, Which},
};

const PATH: &str = "/xrpc/com.atproto.server.describeServer";

fn fault(name: &str, kind: Kind) -> Fault {
    let matches = Matches { path: Some(PATH.to_owned()), ..Matches::default() };
    Fault { name: name.to_owned(), kind, matches, which: Which::default() }
}

async fn world() -> (Network, FaultProxy, reqwest::Client) {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let proxy = FaultProxy::before(&network).await.unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20));
    (network, proxy, http.build().unwrap())
}

async fn get(network: &Network, http: &reqwest::Client) -> reqwest::Result<(u16, String, String)> {
    let response = http.get(format!("{}{PATH}", network.pds())).send().await?;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let kind = header("content-type").or(header("location")).unwrap_or_default();
    Ok((response.status().as_u16(), kind, response.text().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_appears_as_the_pds_and_plays_every_fault() {
    let (network, proxy, http) = world().await;
    let (status, kind, whole) = get(&network, &http).await.unwrap();
    assert!(status == 200 && kind.starts_with("application/json") && whole.contains("availableUserDomains"));
    let processed = async || {
        let requests = network.requests().await.unwrap();
        requests.get(&format!("GET {PATH}")).copied().unwrap_or_default()
    };
    let before = processed().await;

    // What fails without an answer, and how often the server has got it.
    for (kind, reached) in [
        (Kind::Drop, 0),
        (Kind::Hang { millis: 100 }, 0),
        (Kind::Lose, 1),
        (Kind::Reset { processed: false }, 0),
        (Kind::Reset { processed: true }, 1),
        (Kind::Cut, 1),
    ] {
        let (had, label) = (processed().await, format!("{kind:?}"));
        proxy.play(&[fault("it", kind)], Seed::new(1));
        get(&network, &http).await.expect_err(&label);
        // A client may have sent it again on a new connection: every one of them met the fault.
        let happened = proxy.stop_playing()["it"];
        assert!(happened >= 1, "{label}");
        assert_eq!(u64::from(processed().await - had), happened * reached, "{label}");
        assert_eq!(proxy.exchanges().last().unwrap().delivered, Delivered::Lost, "{label}");
    }

    // What is answered otherwise.
    let gateway = |status, body, processed| Kind::Answer { status, body, processed, retry_after: None };
    for (kind, status, expected_type, reached) in [
        (gateway(503, Body::Html, false), 503, "text/html; charset=utf-8", 0),
        (gateway(502, Body::Empty, true), 502, "", 1),
        (gateway(429, Body::Json, false), 429, "application/json", 0),
        (Kind::ContentType { value: "text/plain".into() }, 200, "text/plain", 1),
        (
            Kind::Redirect { status: 302, to: "https://elsewhere.example".into() },
            302,
            "https://elsewhere.example/xrpc/com.atproto.server.describeServer",
            0,
        ),
    ] {
        let (had, label) = (processed().await, format!("{kind:?}"));
        proxy.play(&[fault("it", kind)], Seed::new(1));
        let (got, kind, _) = get(&network, &http).await.unwrap();
        assert_eq!((got, kind.as_str()), (status, expected_type), "{label}");
        assert_eq!(processed().await - had, reached, "{label}");
        assert_eq!(proxy.exchanges().last().unwrap().delivered, Delivered::Altered, "{label}");
    }

    // What is only late, or twice.
    for (kind, least, reached) in [
        (Kind::Delay { millis: 200, answer: false }, 200, 1),
        (Kind::Delay { millis: 200, answer: true }, 200, 1),
        (Kind::Drip { pieces: 4, millis: 50 }, 200, 1),
        (Kind::Duplicate { second: true }, 0, 2),
    ] {
        let (had, label, begun) = (processed().await, format!("{kind:?}"), Instant::now());
        proxy.play(&[fault("it", kind)], Seed::new(1));
        assert_eq!(get(&network, &http).await.unwrap().2, whole, "{label}");
        assert!(begun.elapsed() >= Duration::from_millis(least), "{label}");
        assert_eq!(processed().await - had, reached, "{label}");
        assert_eq!(proxy.exchanges().last().unwrap().delivered, Delivered::Whole, "{label}");
    }
    proxy.stop_playing();
    assert!(processed().await > before);
    assert_eq!(get(&network, &http).await.unwrap().2, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_repeat_with_their_seed_and_keep_to_their_numbers() {
    let (network, proxy, http) = world().await;
    let play = async |seed, which: Which| {
        let kind = Kind::Answer { status: 500, body: Body::Empty, retry_after: None, processed: false };
        proxy.play(&[Fault { which, ..fault("it", kind) }], Seed::new(seed));
        let mut hit = Vec::new();
        for _ in 0..30 {
            hit.push(get(&network, &http).await.unwrap().0 == 500);
        }
        let happened = proxy.stop_playing()["it"];
        assert_eq!(happened as usize, hit.iter().filter(|hit| **hit).count());
        hit
    };
    let half = Which { probability: 0.5, ..Which::default() };
    let first = play(1, half.clone()).await;
    assert_eq!(first, play(1, half.clone()).await);
    assert_ne!(first, play(2, half).await);
    let second_and_fourth = play(1, Which { nth: Some([2, 4].into()), ..Which::default() }).await;
    assert_eq!(second_and_fourth.iter().filter(|hit| **hit).count(), 2);
    assert!(second_and_fourth[1] && second_and_fourth[3]);
    let three = play(1, Which { at_most: Some(3), ..Which::default() }).await;
    assert_eq!(three.iter().filter(|hit| **hit).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_held_before_and_after_the_server() {
    let (network, proxy, http) = world().await;
    let matches = || Matches { path: Some(PATH.to_owned()), ..Matches::default() };
    let processed =
        async || network.requests().await.unwrap().get(&format!("GET {PATH}")).copied().unwrap_or_default();
    for (point, reached) in [(Point::BeforeServer, 0), (Point::AfterServer, 1)] {
        let had = processed().await;
        let mut hold = proxy.hold(matches(), point);
        let call = async { get(&network, &http).await };
        let steps = async {
            hold.reached().await;
            assert_eq!(processed().await - had, reached, "{point:?}");
            hold.release(true);
        };
        let (answer, ()) = tokio::join!(call, steps);
        assert_eq!(answer.unwrap().0, 200);
        assert_eq!(processed().await - had, 1);
        drop(hold);
        get(&network, &http).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_and_nonces_are_those_that_were_asked_for() {
    let (network, proxy, http) = world().await;
    let date = async || {
        let response = http.get(format!("{}{PATH}", network.pds())).send().await.unwrap();
        response.headers()["date"].to_str().unwrap().to_owned()
    };
    let begun = date().await;
    proxy.set_date_offset(0);
    proxy.play(&[fault("it", Kind::Date { seconds: 0 })], Seed::new(1));
    let mine = date().await;
    // The same day.
    assert_eq!(mine[..17], begun[..17], "{mine} {begun}");
    proxy.stop_playing();
    proxy.set_date_offset(86_400 * 366);
    assert_ne!(date().await[..16], begun[..16]);
    network.change_nonces(3).await.unwrap();
    let nonce = async || {
        let url = format!("{}/oauth/par", network.pds());
        let response = http.post(url).body("").send().await.unwrap();
        response.headers().get("dpop-nonce").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_ne!(nonce().await.unwrap(), nonce().await.unwrap());
    let first = nonce().await;
    let par = |kind| Fault {
        matches: Matches { path: Some("/oauth/*".to_owned()), ..Matches::default() },
        ..fault("it", kind)
    };
    proxy.play(&[par(Kind::StaleNonce)], Seed::new(1));
    let stale = nonce().await;
    assert!(stale.is_some() && stale != first);
    assert_eq!(stale, nonce().await);
    proxy.play(&[par(Kind::NoNonce)], Seed::new(1));
    assert_eq!(nonce().await, None);
}
