//! The states of a stack. The names are CloudFormation's.

macro_rules! statuses {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A stack status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Status { $($variant),+ }

        impl Status {
            /// `None` for a status that CloudFormation had not when this was written.
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            pub(super) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

statuses! {
    CreateInProgress = "CREATE_IN_PROGRESS",
    CreateFailed = "CREATE_FAILED",
    CreateComplete = "CREATE_COMPLETE",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackComplete = "ROLLBACK_COMPLETE",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteFailed = "DELETE_FAILED",
    DeleteComplete = "DELETE_COMPLETE",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateFailed = "UPDATE_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    ImportInProgress = "IMPORT_IN_PROGRESS",
    ImportComplete = "IMPORT_COMPLETE",
    ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
}

/// What can be done with a stack that no call of this order is working on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It takes an update.
    Updatable,
    /// It never came into being, or is half gone: it has to go before it can be made again.
    Leftover,
    /// Its first creation is under way.
    Creating,
    /// It is being deleted.
    Deleting,
    /// Somebody else is working on it.
    Busy,
    /// An update failed and so did its rollback, which has to be continued first.
    HalfRolledBack,
    /// It is gone.
    Gone,
}

impl Status {
    pub(super) fn condition(self) -> Condition {
        match self {
            Self::CreateComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackComplete
            | Self::ImportComplete
            | Self::ImportRollbackFailed
            | Self::ImportRollbackComplete => Condition::Updatable,
            Self::CreateFailed
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteFailed
            | Self::ReviewInProgress => Condition::Leftover,
            Self::CreateInProgress => Condition::Creating,
            Self::DeleteInProgress => Condition::Deleting,
            Self::RollbackInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::ImportInProgress
            | Self::ImportRollbackInProgress => Condition::Busy,
            Self::UpdateRollbackFailed => Condition::HalfRolledBack,
            Self::DeleteComplete => Condition::Gone,
        }
    }
}
