//! Quotas: how many of each resource an account may hold in a region.

use serde::{Deserialize, Serialize};

/// The adjustable quotas. Defaults are the newer ones of AWS Proton's Service Quotas page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Environment and service templates together, per account and region.
    pub templates: i64,
    /// Versions of one template, of all majors.
    pub versions_per_template: i64,
    pub environments: i64,
    pub services: i64,
    /// Instances of one service, those that failed to delete included.
    pub instances_per_service: i64,
    pub components: i64,
    pub account_connections: i64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            templates: 1000,
            versions_per_template: 1000,
            environments: 1000,
            services: 1000,
            instances_per_service: 20,
            components: 1000,
            account_connections: 1000,
        }
    }
}
