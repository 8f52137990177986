//! Health and metrics over HTTP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::error::ServiceError;
use crate::health::{Health, Report};
use crate::lifecycle::Lifecycle;
use crate::metrics::{self, Metrics};

/// Where health and metrics are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address to listen on; loopback, unless others may read the metrics.
    pub host: IpAddr,
    /// The port; 0 picks a free one.
    pub port: u16,
}

impl HttpConfig {
    /// The port that OpenTelemetry's Prometheus exporters use as well.
    pub const DEFAULT_PORT: u16 = 9464;
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: Self::DEFAULT_PORT }
    }
}

/// A bound server that does not answer yet: binding comes first, so that a taken port stops a start at once.
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

#[derive(Clone)]
struct Sources {
    health: Health,
    metrics: Metrics,
}

impl HttpServer {
    /// Binds the address.
    pub async fn bind(config: &HttpConfig, health: Health, metrics: Metrics) -> Result<Self, ServiceError> {
        let wanted = SocketAddr::new(config.host, config.port);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServiceError::AddressTaken { address: wanted },
            _ => ServiceError::Bind { address: wanted, source },
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/health", get(ready))
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .route("/metrics", get(exposition))
            .with_state(Sources { health, metrics });
        Ok(Self { listener, address, router })
    }

    /// The address that was bound, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers as a task of this lifecycle until all its other tasks have ended.
    pub fn serve(self, lifecycle: &Lifecycle) {
        tracing::info!("health and metrics at http://{}/health and /metrics", self.address);
        lifecycle.spawn_last("health and metrics", |drained| async move {
            axum::serve(self.listener, self.router)
                .with_graceful_shutdown(drained.cancelled_owned())
                .await
                .map_err(ServiceError::Serve)
        });
    }
}

async fn ready(State(sources): State<Sources>) -> (StatusCode, Json<Report>) {
    let report = sources.health.report();
    (if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
}

async fn live(State(sources): State<Sources>) -> (StatusCode, Json<Report>) {
    let report = sources.health.report();
    (if report.live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
}

async fn exposition(State(sources): State<Sources>) -> Response {
    match sources.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!("metrics cannot be written: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    async fn request(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn server(lifecycle: &Lifecycle) -> (HttpServer, Health) {
        let health = Health::new(lifecycle.shutdown());
        let config = HttpConfig { port: 0, ..HttpConfig::default() };
        (HttpServer::bind(&config, health.clone(), Metrics::new()).await.unwrap(), health)
    }

    #[tokio::test]
    async fn readiness_follows_the_components_and_draining_is_still_answered() {
        let lifecycle = Lifecycle::new(Duration::from_secs(600));
        let (server, health) = server(&lifecycle).await;
        let address = server.address();
        let store = health.component("store");
        server.serve(&lifecycle);
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        lifecycle.spawn("consumer", async move {
            released.await.unwrap_or(());
            Ok::<_, Infallible>(())
        });

        store.waiting("connection refused");
        let answer = request(address, "/health").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains(r#""store":{"state":"waiting","detail":"connection refused""#), "{answer}");
        assert!(request(address, "/health/live").await.starts_with("HTTP/1.1 200 "));
        store.ready();
        assert!(request(address, "/health/ready").await.starts_with("HTTP/1.1 200 "));

        lifecycle.stop();
        let draining = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.join().await }
        });
        let answer = request(address, "/health").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""status":"draining""#), "{answer}");
        release.send(()).unwrap();
        draining.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn metrics_are_openmetrics() {
        let lifecycle = Lifecycle::new(Duration::from_secs(600));
        let (server, _) = server(&lifecycle).await;
        let address = server.address();
        server.serve(&lifecycle);
        let answer = request(address, "/metrics").await;
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
        lifecycle.stop();
        lifecycle.join().await.unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_names_the_mend() {
        let lifecycle = Lifecycle::new(Duration::from_secs(600));
        let (first, health) = server(&lifecycle).await;
        let config = HttpConfig { port: first.address().port(), ..HttpConfig::default() };
        let error = HttpServer::bind(&config, health, Metrics::new()).await.err().unwrap();
        assert!(error.to_string().contains("--metrics-port"), "{error}");
    }
}
