//! Who may hear of what: a subscriber in a project, or at the face of a system, hears of nothing outside of it.

use std::sync::Arc;

use crate::app::HawkFish;
use crate::ctx::{Ctx, Scope};
use crate::events::{Happened, Subject};
use crate::id::{ProjectId, SystemId};
use crate::logs::{LogId, What};

pub(super) fn system_of(about: &Subject) -> Option<&SystemId> {
    match about {
        Subject::System(system)
        | Subject::Chassis(system)
        | Subject::Manager(system)
        | Subject::Network(system)
        | Subject::ManagerInterface(system)
        | Subject::Certificate(system)
        | Subject::Bios(system)
        | Subject::BiosToCome(system)
        | Subject::SecureBoot(system)
        | Subject::Firmware(system)
        | Subject::Nic { system, .. }
        | Subject::Volume { system, .. }
        | Subject::Authority { system, .. }
        | Subject::Slot { system, .. }
        | Subject::Drive { system, .. }
        | Subject::Log(LogId::System(system) | LogId::Face(system))
        | Subject::Entry {
            log: LogId::System(system) | LogId::Face(system),
            ..
        } => Some(system),
        _ => None,
    }
}

/// Whether somebody in that project, at that face, may hear of it; without either, of all. From memory.
pub(super) fn hears(
    hf: &HawkFish,
    project: Option<&ProjectId>,
    scope: Option<&Arc<Scope>>,
    happened: &Happened,
) -> bool {
    if project.is_none() && scope.is_none() {
        return true;
    }
    let mut ctx = Ctx::service();
    ctx.project = project.cloned();
    ctx.scope = scope.cloned();
    match &happened.about {
        Subject::Service => match &happened.event.what {
            // It says whatever somebody likes, of whatever system.
            What::Test(test) => ctx.made_here(test.face.as_ref()),
            _ => true,
        },
        Subject::Session(id) => project.is_none() && hf.sessions().get(&ctx, id).is_ok(),
        // All faces share them.
        Subject::Account(_) | Subject::Role(_) | Subject::Image(_) | Subject::Room(_) => {
            project.is_none()
        }
        Subject::Task(task) | Subject::SubTask { task, .. } => hf.tasks().get(&ctx, task).is_ok(),
        Subject::Job(job) => hf.jobs().get(&ctx, job).is_ok(),
        // The report of a definition of all projects tells of all systems.
        Subject::Report(id) | Subject::ReportDefinition(id) => {
            hf.telemetry().definition(&ctx, id).is_ok_and(|definition| {
                (project.is_none() || definition.project.as_ref() == project)
                    && (scope.is_none() || definition.face.as_ref() == ctx.face())
            })
        }
        Subject::Subscription(id) => hf.subscriptions().get(&ctx, id).is_ok(),
        about => system_of(about).is_some_and(|system| hf.system(&ctx, system).is_ok()),
    }
}
