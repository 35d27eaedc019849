//! The statuses of deployments, services and template versions, as the API spells them.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in the model's order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text on the wire and in the store.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

wire_enum! {
    /// Where a deployment stands, on its record and on what it deploys.
    DeploymentStatus {
        InProgress = "IN_PROGRESS",
        Failed = "FAILED",
        Succeeded = "SUCCEEDED",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteFailed = "DELETE_FAILED",
        DeleteComplete = "DELETE_COMPLETE",
        Cancelling = "CANCELLING",
        Cancelled = "CANCELLED",
    }
}

impl DeploymentStatus {
    /// Whether work is under way: nothing else may start on the same target.
    pub fn is_active(self) -> bool {
        match self {
            Self::InProgress | Self::Cancelling | Self::DeleteInProgress => true,
            Self::Failed | Self::Succeeded | Self::DeleteFailed | Self::DeleteComplete | Self::Cancelled => false,
        }
    }
}

wire_enum! {
    /// Where a service stands as a whole.
    ServiceStatus {
        CreateInProgress = "CREATE_IN_PROGRESS",
        CreateFailedCleanupInProgress = "CREATE_FAILED_CLEANUP_IN_PROGRESS",
        CreateFailedCleanupComplete = "CREATE_FAILED_CLEANUP_COMPLETE",
        CreateFailedCleanupFailed = "CREATE_FAILED_CLEANUP_FAILED",
        CreateFailed = "CREATE_FAILED",
        Active = "ACTIVE",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteFailed = "DELETE_FAILED",
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateFailedCleanupInProgress = "UPDATE_FAILED_CLEANUP_IN_PROGRESS",
        UpdateFailedCleanupComplete = "UPDATE_FAILED_CLEANUP_COMPLETE",
        UpdateFailedCleanupFailed = "UPDATE_FAILED_CLEANUP_FAILED",
        UpdateFailed = "UPDATE_FAILED",
        UpdateCompleteCleanupFailed = "UPDATE_COMPLETE_CLEANUP_FAILED",
    }
}

impl ServiceStatus {
    /// Whether the service as a whole is being created, updated, cleaned up or deleted.
    pub fn is_active(self) -> bool {
        match self {
            Self::CreateInProgress
            | Self::CreateFailedCleanupInProgress
            | Self::DeleteInProgress
            | Self::UpdateInProgress
            | Self::UpdateFailedCleanupInProgress => true,
            Self::CreateFailedCleanupComplete
            | Self::CreateFailedCleanupFailed
            | Self::CreateFailed
            | Self::Active
            | Self::DeleteFailed
            | Self::UpdateFailedCleanupComplete
            | Self::UpdateFailedCleanupFailed
            | Self::UpdateFailed
            | Self::UpdateCompleteCleanupFailed => false,
        }
    }

    /// Whether the resources summary counts the service as failed: any status with `FAILED` in it.
    pub fn is_failed(self) -> bool {
        self.as_str().contains("FAILED")
    }
}

wire_enum! {
    /// Where a template version stands.
    TemplateVersionStatus {
        RegistrationInProgress = "REGISTRATION_IN_PROGRESS",
        RegistrationFailed = "REGISTRATION_FAILED",
        Draft = "DRAFT",
        Published = "PUBLISHED",
    }
}

wire_enum! {
    /// Where an environment account connection stands.
    ConnectionStatus {
        Pending = "PENDING",
        Connected = "CONNECTED",
        Rejected = "REJECTED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_parses_back_from_its_text() {
        for status in DeploymentStatus::ALL {
            assert_eq!(DeploymentStatus::parse(status.as_str()), Some(*status));
        }
        for status in ServiceStatus::ALL {
            assert_eq!(ServiceStatus::parse(status.as_str()), Some(*status));
            assert_eq!(status.is_active(), status.as_str().ends_with("IN_PROGRESS"), "{status}");
        }
        assert_eq!(DeploymentStatus::parse("in_progress"), None);
    }
}
