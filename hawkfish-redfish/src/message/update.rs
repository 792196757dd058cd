//! The registry Update: DMTF's keys, argument counts and severities; our words.

use super::Severity::{Critical, OK, Warning};
use super::registry::{Entry, Registry, entry, news};

/// What becomes of updates.
pub const UPDATE: Registry = Registry {
    prefix: "Update",
    version: "1.3",
    release: "1.3.0",
    entries: ENTRIES,
};

const ENTRIES: &[Entry] = &[
    news("TargetDetermined", OK, "The image %2 is for %1."),
    news(
        "AllTargetsDetermined",
        OK,
        "It is known what the image is for.",
    ),
    entry(
        "NoTargetsDetermined",
        OK,
        "The image %1 is for nothing that is here.",
        "Use an image that is for one of the systems here.",
    ),
    news("UpdateInProgress", OK, "An update goes on."),
    news(
        "TransferringToComponent",
        OK,
        "The image %1 is being brought to %2.",
    ),
    news(
        "VerifyingAtComponent",
        OK,
        "The image %1 is being looked at by %2.",
    ),
    news(
        "InstallingOnComponent",
        OK,
        "The image %1 is being installed on %2.",
    ),
    news(
        "ApplyingOnComponent",
        OK,
        "The image %1 is being put to use on %2.",
    ),
    entry(
        "TransferFailed",
        Critical,
        "The image %1 could not be brought to %2.",
        "Read the task of the update; its messages say why.",
    ),
    entry(
        "VerificationFailed",
        Critical,
        "The image %1 is not one that %2 can take.",
        "Use an image that is whole and for this target.",
    ),
    entry(
        "ApplyFailed",
        Critical,
        "The image %1 could not be put to use on %2.",
        "Read the task of the update; its messages say why.",
    ),
    entry(
        "ActivateFailed",
        Critical,
        "The image %1 is on %2, and could not be made the one in use.",
        "Read the task of the update; its messages say why.",
    ),
    entry(
        "AwaitToUpdate",
        OK,
        "The image %1 for %2 waits to be installed.",
        "Start what it waits for.",
    ),
    entry(
        "AwaitToActivate",
        OK,
        "The image %1 is laid ready on %2, and will be in use after its next reset.",
        "Reset the target when it suits.",
    ),
    news("UpdateSuccessful", OK, "%1 was updated to %2."),
    news(
        "OperationTransitionedToJob",
        OK,
        "The update goes on as the job %1.",
    ),
    news("UpdateSkipped", OK, "%1 was not updated to %2."),
    news("UpdateSkippedSameVersion", OK, "%1 has %2 already."),
    news(
        "UpdateSkippedVersionTooLow",
        OK,
        "%1 has something newer than %2.",
    ),
    entry(
        "UpdateNotApplicable",
        Warning,
        "The image %1 is not for %2.",
        "Use an image that is for this target.",
    ),
];
