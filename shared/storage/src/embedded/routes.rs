//! The HTTP interface: who may ask, what is asked, and one turn at a time for each of a bounded number of requests.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{Method, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, mpsc};

use super::answer::{self, Head};
use super::body;
use super::credentials::Credentials;
use super::exception::{Exception, codes};
use super::request::{self, Context};
use super::run::{Event, Runner};

/// Pieces of one answer that wait for a slow reader.
const PIECES_IN_FLIGHT: usize = 4;
/// How long a request waits for its turn.
const TURN_LIMIT: Duration = Duration::from_secs(30);

/// What every request needs.
pub(super) struct Service {
    pub(super) runner: Arc<Runner>,
    pub(super) credentials: Credentials,
    pub(super) turns: Arc<Semaphore>,
    pub(super) body_limit_bytes: usize,
}

/// The routes. Only the bare health answers need no password.
pub(super) fn routes(service: Arc<Service>) -> Router {
    Router::new().route("/ping", get(|| async { "Ok.\n" })).fallback(handle).with_state(service)
}

async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response<Body> {
    match serve(&service, request).await {
        Ok(response) => response,
        Err(exception) => {
            tracing::debug!(code = exception.code, reason = exception.text(), "request refused");
            answer::failure(&exception)
        }
    }
}

async fn serve(service: &Service, request: Request) -> Result<Response<Body>, Exception> {
    let (parts, content) = request.into_parts();
    let Query(mut fields) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|error| Exception::new(codes::BAD_ARGUMENTS, format!("Malformed URL: {error}")))?;
    if parts.method == Method::GET && fields.is_empty() && parts.uri.path() == "/" {
        return Ok(Response::new(Body::from("Ok.\n")));
    }
    if let Err(refusal) = service.credentials.check(&parts.headers, &fields) {
        body::discard(content).await;
        return Err(refusal);
    }
    if !matches!(parts.method, Method::GET | Method::POST) {
        let message = format!("{} is not served: send statements by POST, queries by GET too", parts.method);
        return Err(Exception::new(codes::NOT_IMPLEMENTED, message));
    }
    let turn = tokio::time::timeout(TURN_LIMIT, Arc::clone(&service.turns).acquire_owned())
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| {
            Exception::new(codes::TOO_MANY_SIMULTANEOUS_QUERIES, "Too many simultaneous queries: no turn came in time")
        })?;
    let framed = fields.iter().any(|(name, value)| name == "decompress" && value == "1");
    let mut content = body::read(content, framed, service.body_limit_bytes).await?;
    if let Some(form) = request::form(&parts.headers, &content)? {
        fields.extend(form);
        content.clear();
    }
    let context = Context::read(&parts.headers, &fields)?;
    let query = fields.iter().find(|(name, _)| name == "query").map_or("", |(_, text)| text);
    let statement = request::statement(&parts.method, query, content, &context.format)?;
    let head = Head {
        query_id: context.query_id.clone().unwrap_or_else(|| answer::random_text(32)),
        format: statement.format().to_owned(),
        coding: context.coding,
    };
    let (events, received) = mpsc::channel::<Event>(PIECES_IN_FLIGHT);
    let runner = Arc::clone(&service.runner);
    tokio::task::spawn_blocking(move || {
        runner.run(&context, statement, &events);
        drop(turn);
    });
    Ok(answer::answer(&head, received).await)
}
