//! Who may hear of what: a subscriber in a project hears of nothing outside of it.

use crate::app::HawkFish;
use crate::ctx::Ctx;
use crate::events::{Happened, Subject};
use crate::id::{ProjectId, SystemId};
use crate::logs::LogId;

fn system_of(about: &Subject) -> Option<&SystemId> {
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
        | Subject::Log(LogId::System(system))
        | Subject::Entry {
            log: LogId::System(system),
            ..
        } => Some(system),
        _ => None,
    }
}

/// Whether somebody in that project may hear of it; without a project, of all. From memory.
pub(super) fn hears(hf: &HawkFish, project: Option<&ProjectId>, happened: &Happened) -> bool {
    let Some(project) = project else {
        return true;
    };
    let mut ctx = Ctx::service();
    ctx.project = Some(project.clone());
    match &happened.about {
        Subject::Service => true,
        Subject::Task(task) | Subject::SubTask { task, .. } => hf.tasks().get(&ctx, task).is_ok(),
        Subject::Job(job) => hf.jobs().get(&ctx, job).is_ok(),
        // The report of a definition of all projects tells of all systems.
        Subject::Report(id) | Subject::ReportDefinition(id) => hf
            .telemetry()
            .definition(&ctx, id)
            .is_ok_and(|definition| definition.project.as_ref() == Some(project)),
        Subject::Subscription(id) => hf.subscriptions().get(&ctx, id).is_ok(),
        about => system_of(about).is_some_and(|system| hf.system(&ctx, system).is_ok()),
    }
}
