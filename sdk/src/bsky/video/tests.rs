//! Uploads to a service that behaves as the one in use does (X15).
#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tests::{Answer, Stub};

use super::{Progress, VideoError, Videos};
use crate::{
    PasswordClient, PublicClient,
    types::Blob,
    xrpc::{Error, TransportError},
};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const UPLOAD: &str = "/xrpc/app.bsky.video.uploadVideo";
const STATUS: &str = "/xrpc/app.bsky.video.getJobStatus";
const AUTH: &str = "/xrpc/com.atproto.server.getServiceAuth";
const SESSION: &str = "/xrpc/com.atproto.server.getSession";
const DESCRIBE: &str = "/xrpc/com.atproto.server.describeServer";

struct World {
    pds: Stub,
    service: Stub,
    videos: Videos,
}

impl World {
    async fn new() -> Self {
        let (pds, service) = (Stub::start().await.unwrap(), Stub::start().await.unwrap());
        pds.answer(
            "/xrpc/com.atproto.server.createSession",
            Answer::json(json!({"did": DID, "accessJwt": "a", "refreshJwt": "r"}).to_string()),
        );
        pds.answer(SESSION, session(&pds.url()));
        pds.answer(DESCRIBE, described("did:web:pds.example.com"));
        pds.answer(AUTH, Answer::json(r#"{"token": "t0ken"}"#));
        let account = PasswordClient::sign_in(&pds.url(), DID, "x").await.unwrap();
        let videos = Videos::at(&account, PublicClient::new(&service.url()).unwrap());
        Self { pds, service, videos }
    }

    async fn upload(&self) -> (Result<Blob, VideoError>, Vec<Progress>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let upload = self.videos.upload(vec![7; 150_000]).name("cat 1.mp4").pause(Duration::from_millis(5));
        let listener = Arc::clone(&seen);
        let result = upload.on_progress(move |progress| listener.lock().unwrap().push(progress)).await;
        let seen = seen.lock().unwrap().clone();
        (result, seen)
    }
}

/// The session of an account at this PDS.
fn session(pds: &str) -> Answer {
    let document = json!({"id": DID, "service": [
        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}
    ]});
    Answer::json(json!({"did": DID, "handle": "alice.example.com", "didDoc": document}).to_string())
}

fn described(did: &str) -> Answer {
    Answer::json(json!({"did": did, "availableUserDomains": []}).to_string())
}

fn job(state: &str, more: Value) -> Value {
    let mut job = json!({"jobId": "j1", "did": DID, "state": state});
    for (name, value) in more.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

fn blob() -> Value {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "video/mp4", "size": 150_000})
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::json(body.to_string()).with_status(status)
}

#[tokio::test]
async fn x15_a_video_is_sent_with_progress_and_its_job_followed() {
    // The job is at the top level, or inside `jobStatus`.
    for wrapped in [false, true] {
        let world = World::new().await;
        let wrap = |job: Value| if wrapped { json!({"jobStatus": job}) } else { job };
        world.service.answer(UPLOAD, answer(200, &wrap(job("JOB_STATE_CREATED", json!({})))));
        world.service.answer(STATUS, answer(200, &wrap(job("JOB_STATE_ENCODING", json!({"progress": 40})))));
        world.service.answer(STATUS, answer(502, &json!({})));
        world.service.answer(STATUS, answer(200, &wrap(job("JOB_STATE_SOMETHING_NEW", json!({})))));
        world.service.answer(STATUS, answer(200, &wrap(job("JOB_STATE_COMPLETED", json!({"blob": blob()})))));
        let (result, seen) = world.upload().await;
        assert_eq!(serde_json::to_value(result.unwrap()).unwrap(), blob());

        let sent: Vec<usize> = seen
            .iter()
            .filter_map(|p| if let Progress::Sent { bytes, of: 150_000 } = p { Some(*bytes) } else { None })
            .collect();
        assert_eq!(sent, [65_536, 131_072, 150_000]);
        let states: Vec<&str> = seen
            .iter()
            .filter_map(|p| if let Progress::Job(job) = p { Some(&*job.state) } else { None })
            .collect();
        assert_eq!(states, ["JOB_STATE_ENCODING", "JOB_STATE_SOMETHING_NEW", "JOB_STATE_COMPLETED"]);

        let upload = &world.service.received_at(UPLOAD)[0];
        assert_eq!(upload.query, "did=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz&name=cat%201.mp4");
        assert_eq!(upload.header("authorization"), Some("Bearer t0ken"));
        assert_eq!(
            (upload.header("content-type"), upload.header("content-length")),
            (Some("video/mp4"), Some("150000"))
        );
        assert_eq!((upload.body.len(), upload.header("transfer-encoding")), (150_000, None));
        let auth = &world.pds.received_at(AUTH)[0].query;
        assert!(
            auth.contains("aud=did%3Aweb%3Apds.example.com")
                && auth.contains("lxm=com.atproto.repo.uploadBlob"),
            "{auth}"
        );
        assert!(world.service.received_at(STATUS).iter().all(|asked| asked.query == "jobId=j1"));
    }
}

#[tokio::test]
async fn x15_a_video_that_is_there_already_is_reported_and_used() {
    let world = World::new().await;
    // As it is sent: without an account, and the job beside the error.
    let existing = json!({"jobId": "j1", "did": "", "state": "JOB_STATE_COMPLETED", "error": "already_exists", "message": "Video already processed"});
    world.service.answer(UPLOAD, answer(409, &existing));
    world.service.answer(
        STATUS,
        answer(200, &json!({"jobStatus": job("JOB_STATE_COMPLETED", json!({"blob": blob()}))})),
    );
    for (body, asked) in [
        (existing.clone(), 1),
        (json!({"error": "already_exists", "jobStatus": job("JOB_STATE_ENCODING", json!({}))}), 2),
        (
            json!({"jobId": "j1", "did": "", "error": "already_exists", "state": "JOB_STATE_COMPLETED", "blob": blob()}),
            2,
        ),
    ] {
        world.service.replace(UPLOAD, answer(409, &body));
        let (result, seen) = world.upload().await;
        assert_eq!(serde_json::to_value(result.unwrap()).unwrap(), blob(), "{body}");
        assert!(seen.contains(&Progress::AlreadyExists { job: "j1".into() }), "{body}");
        assert_eq!(world.service.received_at(STATUS).len(), asked, "a blob in the answer is enough: {body}");
    }
}

#[tokio::test]
async fn x15_errors_are_reported_as_what_they_are() {
    let unconfirmed = json!({"jobId": "", "did": "", "state": "", "error": "unconfirmed_email", "message": "Confirm your email"});
    for (status, body) in [
        (401, unconfirmed.clone()),
        (400, json!({"jobStatus": unconfirmed.clone()})),
        (200, unconfirmed.clone()),
        (403, json!({"error": "unconfirmed_email", "message": "Confirm your email"})),
    ] {
        let world = World::new().await;
        world.service.answer(UPLOAD, answer(status, &body));
        let error = world.upload().await.0.unwrap_err();
        assert!(matches!(error, VideoError::UnconfirmedEmail { .. }), "{status} {body}: {error:?}");
        assert!(error.to_string().contains("Confirm your email"), "{error}");
    }
    let world = World::new().await;
    world.service.answer(UPLOAD, answer(400, &json!({"error": "video_too_long"})));
    let error = world.upload().await.0.unwrap_err();
    assert!(matches!(&error, VideoError::Refused { name, .. } if name == "video_too_long"), "{error:?}");
    let world = World::new().await;
    world.service.answer(UPLOAD, answer(200, &job("JOB_STATE_CREATED", json!({}))));
    world.service.answer(STATUS, answer(200, &json!({"jobStatus": job("JOB_STATE_FAILED", json!({"failureCode": "encoding_failure", "error": "x"}))})));
    let error = world.upload().await.0.unwrap_err();
    assert!(
        matches!(&error, VideoError::Failed { .. }) && error.to_string().contains("encoding_failure"),
        "{error:?}"
    );
    world.pds.replace(AUTH, answer(403, &json!({"error": "ScopeMissingError"})));
    assert!(matches!(world.upload().await.0, Err(VideoError::Token(_))));
}

#[tokio::test]
async fn x15_an_error_in_the_place_of_a_followed_job_ends_the_wait() {
    let named = json!({"jobId": "", "did": "", "state": "", "error": "job_not_found", "message": "gone"});
    let unconfirmed = json!({"jobId": "", "did": "", "error": "unconfirmed_email", "message": "confirm"});
    for body in [
        named.clone(),
        json!({"jobStatus": named.clone()}),
        json!({"error": "job_not_found", "jobStatus": {"jobId": "", "did": ""}}),
    ] {
        let world = World::new().await;
        world.service.answer(STATUS, answer(200, &body));
        let follow =
            world.videos.follow("j1").pause(Duration::from_millis(5)).job_timeout(Duration::from_millis(200));
        let error = follow.await.unwrap_err();
        assert!(
            matches!(&error, VideoError::Refused { name, .. } if name == "job_not_found"),
            "{body}: {error:?}"
        );
        assert_eq!(world.service.received_at(STATUS).len(), 1, "{body}");
        assert!(matches!(world.videos.job("j1").await, Err(VideoError::Refused { .. })), "{body}");
    }
    let world = World::new().await;
    world.service.answer(UPLOAD, answer(200, &job("JOB_STATE_CREATED", json!({}))));
    world.service.answer(STATUS, answer(200, &json!({"jobStatus": unconfirmed})));
    let error = world.upload().await.0.unwrap_err();
    assert!(matches!(error, VideoError::UnconfirmedEmail { .. }), "{error:?}");
    // A job that has failed, or is done, and lacks its id, is the one that was asked about.
    world
        .service
        .replace(STATUS, answer(200, &json!({"jobId": "", "state": "JOB_STATE_FAILED", "error": "x"})));
    let error = world.videos.follow("j1").await.unwrap_err();
    assert!(matches!(&error, VideoError::Failed { job } if job.id == "j1"), "{error:?}");
    world
        .service
        .replace(STATUS, answer(200, &json!({"jobId": "", "error": "already_exists", "blob": blob()})));
    world.videos.follow("j1").await.unwrap();
}

#[tokio::test]
async fn x15_an_upload_without_an_answer_is_sent_again_and_a_job_can_be_followed_later() {
    let world = World::new().await;
    world.service.answer(UPLOAD, Answer::hang_up());
    world.service.answer(UPLOAD, answer(200, &job("JOB_STATE_CREATED", json!({}))));
    world.service.answer(STATUS, answer(200, &json!({"jobStatus": job("JOB_STATE_ENCODING", json!({}))})));
    let upload = world.videos.upload(vec![1; 10]).pause(Duration::from_millis(5));
    let error = upload.job_timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(world.service.received_at(UPLOAD).len(), 2);
    assert_eq!(
        world.pds.received_at(AUTH).len(),
        2,
        "each attempt has a token that lasts as long as the first"
    );
    let VideoError::Late { job: id, .. } = error else { panic!("{error:?}") };
    world.service.replace(
        STATUS,
        answer(200, &json!({"jobStatus": job("JOB_STATE_COMPLETED", json!({"blob": blob()}))})),
    );
    world.videos.follow(id).await.unwrap();
    assert_eq!(world.service.received_at(UPLOAD).len(), 2);
    world.service.replace(STATUS, answer(404, &json!({"error": "not_found"})));
    assert!(matches!(world.videos.follow("other").await, Err(VideoError::Refused { .. })));
}

#[tokio::test]
async fn x15_a_client_that_is_not_signed_in_uploads_nothing() {
    let public = PublicClient::new("https://pds.example.com").unwrap();
    let videos = Videos::new(&public).unwrap();
    assert!(matches!(videos.upload("x").await, Err(VideoError::NotSignedIn)));
}

#[tokio::test]
async fn x15_the_token_is_for_the_server_that_stores_the_video() {
    let audiences = |world: &World| -> Vec<String> {
        let asked = world.pds.received_at(AUTH);
        let audience = |asked: &tests::Received| {
            let mut pairs = url::form_urlencoded::parse(asked.query.as_bytes());
            pairs.find(|(name, _)| name == "aud").unwrap().1.into_owned()
        };
        asked.iter().map(audience).collect()
    };
    let world = World::new().await;
    world.service.answer(UPLOAD, answer(200, &job("JOB_STATE_COMPLETED", json!({"blob": blob()}))));
    // It is called as it says, which need not be as its address.
    world.pds.replace(DESCRIBE, described("did:web:localhost"));
    world.upload().await.0.unwrap();
    assert_eq!(audiences(&world), ["did:web:localhost"]);
    world.upload().await.0.unwrap();
    assert_eq!(world.pds.received_at(DESCRIBE).len(), 1, "it does not change");

    // Behind an entryway, it is another server.
    let other = Stub::start().await.unwrap();
    other.answer(DESCRIBE, described("did:web:other.example.com"));
    world.pds.replace(SESSION, session(&other.url()));
    world.upload().await.0.unwrap();
    // One that says nothing of use, or that nobody may ask, is called as its address.
    let mute = Stub::start().await.unwrap();
    for answer in [answer(501, &json!({})), described("nobody"), Answer::json("[]")] {
        mute.replace(DESCRIBE, answer);
        world.pds.replace(SESSION, session(&mute.url()));
        world.upload().await.0.unwrap();
    }
    world.pds.replace(SESSION, session("https://10.0.0.1"));
    world.upload().await.0.unwrap();
    // Without a document there is only the server that the client talks to.
    world.pds.replace(SESSION, Answer::json(json!({"did": DID, "handle": "alice.example.com"}).to_string()));
    world.upload().await.0.unwrap();

    let by_address = format!("did:web:127.0.0.1%3A{}", mute.port());
    let expected = [
        "did:web:other.example.com",
        &by_address,
        &by_address,
        &by_address,
        "did:web:10.0.0.1",
        "did:web:localhost",
    ];
    assert_eq!(audiences(&world)[2..], expected);
}

#[tokio::test]
async fn x15_sending_has_a_limit_of_its_own_for_all_attempts() {
    let world = World::new().await;
    let limit = Duration::from_millis(300);
    let finished = answer(200, &job("JOB_STATE_COMPLETED", json!({"blob": blob()})));
    world.service.answer(UPLOAD, finished.clone().delay(Duration::from_secs(60)));
    let begun = std::time::Instant::now();
    let upload = world.videos.upload(vec![1; 10]).pause(Duration::from_millis(5)).upload_timeout(limit);
    let error = upload.await.unwrap_err();
    let VideoError::Service(error) = &error else { panic!("{error:?}") };
    assert!(matches!(**error, Error::Transport(TransportError::Timeout { .. })), "{error:?}");
    assert_eq!(world.service.received_at(UPLOAD).len(), 1, "what has used up the time is not sent again");
    assert!(begun.elapsed() < Duration::from_secs(30));

    // Nor is anything else when no time is left.
    world.service.replace(UPLOAD, Answer::hang_up().delay(Duration::from_millis(200)));
    let upload = world.videos.upload(vec![1; 10]).pause(Duration::from_millis(400)).upload_timeout(limit);
    assert!(matches!(upload.await.unwrap_err(), VideoError::Service(_)));
    assert_eq!(world.service.received_at(UPLOAD).len(), 2);
}

#[tokio::test]
async fn x15_the_token_lasts_for_the_upload_and_the_job() {
    let world = World::new().await;
    world.service.answer(UPLOAD, answer(200, &job("JOB_STATE_COMPLETED", json!({"blob": blob()}))));
    let lifetime = async |limit: Option<Duration>| {
        let upload = world.videos.upload(vec![1; 10]);
        let upload = if let Some(limit) = limit { upload.upload_timeout(limit) } else { upload };
        upload.await.unwrap();
        let query = world.pds.received_at(AUTH).pop().unwrap().query;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let ends = pairs.find(|(name, _)| name == "exp").unwrap().1.parse::<i64>().unwrap();
        u64::try_from(ends - crate::clock::unix_now()).unwrap()
    };
    let minutes = |count: u64| count * 60;
    assert!((minutes(39)..=minutes(40)).contains(&lifetime(None).await));
    assert!((minutes(34)..=minutes(35)).contains(&lifetime(Some(Duration::from_secs(300))).await));
    // Servers refuse more than an hour.
    for long in [Duration::from_secs(7200), Duration::MAX] {
        assert!((minutes(54)..=minutes(55)).contains(&lifetime(Some(long)).await), "{long:?}");
    }
}
