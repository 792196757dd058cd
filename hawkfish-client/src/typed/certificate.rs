//! Certificates: which there are, new ones for old ones.

use serde_json::Value;

use super::{Certificate, Handle};
use crate::error::Error;
use crate::redfish::model::certificate::{
    Certificate as Model, CertificateCreate, RekeyParams, RenewParams,
};
use crate::redfish::model::certificate_locations::CertificateLocations;
use crate::redfish::model::certificate_service::{
    CertificateService, GenerateCSRParams, ReplaceCertificateParams,
};
use crate::task::Outcome;
use crate::wire::Response;

impl Handle<CertificateService> {
    /// All certificates that the service knows of, wherever they stand.
    ///
    /// # Errors
    /// As [`Handle::follow_all`].
    pub async fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        let locations: Handle<CertificateLocations> = self.follow("/CertificateLocations").await?;
        locations.follow_all("/Links/Certificates").await
    }

    /// Makes a key and a request to have it certified, as PEM. What is not given is left to the service.
    ///
    /// # Errors
    /// As [`Handle::action`] and [`Outcome::finish`]; [`crate::Kind::Protocol`] when no request comes.
    pub async fn generate_csr(&self, request: &GenerateCSRParams) -> Result<String, Error> {
        let outcome = self
            .action("CertificateService.GenerateCSR", request)
            .await?;
        csr(outcome.finish(None).await?)
    }

    /// Puts a certificate in the place of another; for HTTPS that is the one that the next connection shows.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn replace(&self, by: &ReplaceCertificateParams) -> Result<Outcome, Error> {
        self.action("CertificateService.ReplaceCertificate", by)
            .await
    }
}

impl Handle<Model> {
    /// Makes a new key for it, and a request to have that certified, as PEM.
    ///
    /// # Errors
    /// As [`CertificateService::generate_csr`](Handle::generate_csr).
    pub async fn rekey(&self, key: &RekeyParams) -> Result<String, Error> {
        let outcome = self.action("Certificate.Rekey", key).await?;
        csr(outcome.finish(None).await?)
    }

    /// Makes a request to have its key certified again, as PEM.
    ///
    /// # Errors
    /// As [`CertificateService::generate_csr`](Handle::generate_csr).
    pub async fn renew(&self, parameters: &RenewParams) -> Result<String, Error> {
        let outcome = self.action("Certificate.Renew", parameters).await?;
        csr(outcome.finish(None).await?)
    }
}

impl<T> Handle<T> {
    /// Adds a certificate to those that the resource has at `Certificates`; [`crate::Client::created`] reads it.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn add_certificate(&self, certificate: &CertificateCreate) -> Result<Outcome, Error> {
        self.create("/Certificates", certificate).await
    }
}

fn csr(answer: Response) -> Result<String, Error> {
    let body = answer.json()?;
    let text = body.get("CSRString").and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Error::protocol(format!("{}: no CSRString", answer.uri)))
}
