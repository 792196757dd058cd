//! What is served, as values: a resource, its actions, who may.

use futures::future::BoxFuture;
use hawkfish_core::ctx::Privilege;

use axum::body::Body;
use http::HeaderMap;
use serde_json::Value;

use hawkfish_redfish::query::Query;
use http::Response;

use super::{Content, Outcome, Rq};
use crate::problem::Problem;

/// Reads a resource.
pub type Get = for<'a> fn(&'a Rq) -> BoxFuture<'a, Result<Content, Problem>>;
/// Changes a resource, or calls an action of it.
pub type Write = for<'a> fn(&'a Rq) -> BoxFuture<'a, Result<Outcome, Problem>>;
/// Takes in a body that is no JSON, as it comes.
pub type Upload =
    for<'a> fn(&'a Rq, &'a HeaderMap, Body) -> BoxFuture<'a, Result<Outcome, Problem>>;
/// Answers a GET with something that goes on and on: a request, what its query asks for, and its headers.
pub type Stream = for<'a> fn(
    &'a Rq,
    &'a Query,
    &'a http::request::Parts,
) -> BoxFuture<'a, Result<Response<Body>, Problem>>;
/// Says how often what a resource shows has changed.
pub type Version = fn(&Rq) -> Result<u64, Problem>;
/// Privileges of which one is enough. [`Privilege::ConfigureSelf`] counts only for what is the caller's own.
pub type AnyOf = &'static [Privilege];

/// Something served, as a value.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// URI template, such as `/redfish/v1/Systems/{system}`; without a slash at the end.
    pub uri: &'static str,
    /// Name of its schema's entity: `ComputerSystem`. Empty for what has no schema.
    pub entity: &'static str,
    /// Entity of what a POST creates.
    pub member: &'static str,
    /// GET and HEAD.
    pub get: Option<Get>,
    /// GET and HEAD of what is no representation of anything, but a stream: it has no tag, and reading it changes what is served.
    pub stream: Option<Stream>,
    /// PATCH.
    pub patch: Option<Write>,
    /// POST to the collection.
    pub create: Option<Write>,
    /// POST of something that is no JSON, of any length and for as long as it comes.
    pub upload: Option<Upload>,
    /// DELETE.
    pub delete: Option<Write>,
    /// POST to `<uri>/Actions/<name>`.
    pub actions: &'static [Action],
    /// Who may.
    pub privileges: Privileges,
    /// Properties that others may PATCH, too.
    pub overrides: &'static [Override],
    /// Whether it is the caller's own: account, session.
    pub own: Option<fn(&Rq) -> bool>,
    /// Methods that need no credentials.
    pub open: &'static [Verb],
    /// Changes with every change of what is shown.
    pub version: Option<Version>,
    /// Properties that run with the clock and so do not count for the ETag; one within an object by its path: `Oem/HawkFish/PendingCount`.
    pub clock_like: &'static [&'static str],
    /// Media type of what a GET gives.
    pub media_type: &'static str,
    /// Must not be stored by any cache on the way.
    pub no_store: bool,
    /// Still allowed while the caller's password must be changed, where it is the caller's own.
    pub before_password_change: bool,
}

impl Resource {
    /// Nothing at all: what a resource does not say.
    pub const NONE: Self = Self {
        uri: "",
        entity: "",
        member: "",
        get: None,
        stream: None,
        patch: None,
        create: None,
        upload: None,
        delete: None,
        actions: &[],
        privileges: Privileges::COMPONENTS,
        overrides: &[],
        own: None,
        open: &[],
        version: None,
        clock_like: &[],
        media_type: "application/json",
        no_store: false,
        before_password_change: false,
    };

    /// The methods that its own URI takes, in the order of `Allow`.
    pub fn verbs(&self) -> impl Iterator<Item = Verb> {
        [
            self.get
                .map(|_| Verb::Get)
                .or(self.stream.map(|_| Verb::Get)),
            self.patch.map(|_| Verb::Patch),
            self.create
                .map(|_| Verb::Create)
                .or(self.upload.map(|_| Verb::Create)),
            self.delete.map(|_| Verb::Delete),
        ]
        .into_iter()
        .flatten()
    }
}

/// An action of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// `ComputerSystem.Reset`.
    pub name: &'static str,
    /// Does it.
    pub run: Write,
    /// Who may, if not who may POST to the resource.
    pub needs: Option<AnyOf>,
}

impl Action {
    /// Whether it is one that a vendor adds to the entity (DSP0266, "OEM actions"), which its name tells.
    #[must_use]
    pub fn is_oem(&self, entity: &str) -> bool {
        self.name.split('.').next() != Some(entity)
    }

    /// Where a resource of that entity has its actions of this sort: below its URI to be called, and in its body to be seen.
    #[must_use]
    pub fn place(&self, entity: &str) -> &'static str {
        match self.is_oem(entity) {
            true => "Actions/Oem",
            false => "Actions",
        }
    }

    /// Where it is called, of a resource of that entity at `uri`.
    #[must_use]
    pub fn target(&self, entity: &str, uri: &str) -> String {
        format!("{uri}/{}/{}", self.place(entity), self.name)
    }

    /// What a resource of that entity shows of it; null where it does not show it.
    #[must_use]
    pub fn shown<'a>(&self, entity: &str, body: &'a Value) -> &'a Value {
        let actions = match self.is_oem(entity) {
            true => &body["Actions"]["Oem"],
            false => &body["Actions"],
        };
        &actions[format!("#{}", self.name)]
    }
}

/// Who may do what, as in DMTF's privilege registry. An empty list is nobody.
#[derive(Clone, Copy, Debug)]
pub struct Privileges {
    /// GET and HEAD.
    pub get: AnyOf,
    /// PATCH.
    pub patch: AnyOf,
    /// POST, for creating and for actions.
    pub post: AnyOf,
    /// DELETE.
    pub delete: AnyOf,
}

impl Privileges {
    const fn writes(needs: AnyOf) -> Self {
        Self {
            get: &[Privilege::Login],
            patch: needs,
            post: needs,
            delete: needs,
        }
    }

    /// Systems and what belongs to them.
    pub const COMPONENTS: Self = Self::writes(&[Privilege::ConfigureComponents]);
    /// The manager and the service itself.
    pub const MANAGER: Self = Self::writes(&[Privilege::ConfigureManager]);
    /// Certificates: who reads them learns whom the manager trusts.
    pub const CERTIFICATES: Self = Self {
        get: &[Privilege::ConfigureManager],
        ..Self::MANAGER
    };
    /// Accounts.
    pub const USERS: Self = Self::writes(&[Privilege::ConfigureUsers]);
}

/// A property that may be PATCHed by others than the rest of its resource.
#[derive(Clone, Copy, Debug)]
pub struct Override {
    /// The property, at the top of the body.
    pub property: &'static str,
    /// Who may.
    pub needs: AnyOf,
}

/// What can be done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET or HEAD.
    Get,
    /// PATCH.
    Patch,
    /// POST to a collection.
    Create,
    /// POST to an action.
    Act,
    /// DELETE.
    Delete,
}
