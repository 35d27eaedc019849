//! Quotas: what each counts, and when it has to be counted exactly.
//!
//! An exact count belongs into the transaction that takes the place. There it makes transactions that add
//! things at the same time give way to each other, so it is left out while the quota is far away.

use super::Context;
use crate::error::{Result, over_quota};
use crate::store::{
    DbResult, Reader, Relying, Tx, component_count, connection_count, environment_count, instance_count, service_count,
    template_count, template_version_count,
};
use protium_domain::arn::Scope;
use protium_domain::quota::Quotas;
use protium_domain::template::TemplateKind;

/// More creates than rely on a count at once (32 for each process, `store::counts`) or end while it is taken for that of
/// now (140, at the 14,000 commits per second of `docs/performance.md`): enough for three processes in full swing.
const UNDER_WAY: i64 = 256;

/// What a quota counts.
#[derive(Clone, Copy)]
pub(super) enum Quota<'a> {
    Templates,
    Versions { kind: TemplateKind, template: &'a str },
    Environments,
    Services,
    Instances { service: &'a str },
    Components,
    AccountConnections,
}

/// The places of one quota, looked at before the transaction that takes one.
pub(super) struct Places<'a> {
    quota: Quota<'a>,
    pub(super) limit: i64,
    near: bool,
    /// Held until the place is taken.
    _relying: Option<Relying>,
}

impl<'a> Places<'a> {
    /// Looks whether the transaction has to count. The caller holds no reader.
    pub(super) async fn of(cx: &Context, quota: Quota<'a>) -> Result<Self> {
        let limit = quota.limit(&cx.app.config.quotas);
        // With SQLite writers take turns anyway, and the writer counts best.
        if cx.store().db().is_embedded() || is_near(0, limit) {
            return Ok(Self { quota, limit, near: true, _relying: None });
        }
        let relying = cx.store().rely_on_count();
        let near = relying.is_none() || is_near(quota.counted(cx).await?, limit);
        Ok(Self { quota, limit, near, _relying: relying })
    }

    /// Whether the transaction has to count.
    pub(super) fn are_near(&self) -> bool {
        self.near
    }

    /// Whether there are fewer than `more` places left.
    pub(super) async fn lack(&self, tx: &mut Tx, cx: &Context, more: i64) -> Result<bool> {
        Ok(self.near && self.quota.count(tx, cx.scope()).await?.saturating_add(more) > self.limit)
    }

    /// Refuses `more` rows that are about to be inserted; none, if they are there already.
    pub(super) async fn check(&self, tx: &mut Tx, cx: &Context, more: i64) -> Result<()> {
        if self.lack(tx, cx, more).await? { Err(over_quota(self.quota.noun(), self.limit)) } else { Ok(()) }
    }
}

impl Quota<'_> {
    fn limit(self, quotas: &Quotas) -> i64 {
        match self {
            Self::Templates => quotas.templates,
            Self::Versions { .. } => quotas.versions_per_template,
            Self::Environments => quotas.environments,
            Self::Services => quotas.services,
            Self::Instances { .. } => quotas.instances_per_service,
            Self::Components => quotas.components,
            Self::AccountConnections => quotas.account_connections,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Templates => "templates (environment and service templates together)",
            Self::Versions { .. } => "versions per template",
            Self::Environments => "environments",
            Self::Services => "services",
            Self::Instances { .. } => "instances of a service, those that failed to delete included",
            Self::Components => "components",
            Self::AccountConnections => "environment account connections of an environment account",
        }
    }

    /// The count of about now.
    async fn counted(self, cx: &Context) -> DbResult<i64> {
        let count = async |mut reader: Reader| self.count(&mut reader, cx.scope()).await;
        match self {
            // They have counts of their own for each parent.
            Self::Versions { .. } | Self::Instances { .. } => count(cx.store().reader().await?).await,
            Self::Templates | Self::Environments | Self::Services | Self::Components | Self::AccountConnections => {
                cx.store().counted(cx.scope(), self.noun(), count).await
            }
        }
    }

    async fn count(self, rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
        match self {
            Self::Templates => template_count(rd, scope).await,
            Self::Versions { kind, template } => template_version_count(rd, scope, kind, template).await,
            Self::Environments => environment_count(rd, scope).await,
            Self::Services => service_count(rd, scope).await,
            Self::Instances { service } => instance_count(rd, scope, service).await,
            Self::Components => component_count(rd, scope).await,
            Self::AccountConnections => connection_count(rd, scope).await,
        }
    }
}

/// Whether `count`, read before the transaction, is so near to the quota that the transaction must count again.
fn is_near(count: i64, quota: i64) -> bool {
    count.saturating_add(UNDER_WAY) >= quota
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_near_when_creates_under_way_could_fill_it() {
        assert!(!is_near(0, 1000));
        assert!(!is_near(743, 1000));
        assert!(is_near(744, 1000));
        assert!(is_near(2000, 1000));
        assert!(is_near(0, 20));
        assert!(!is_near(0, i64::MAX));
    }
}
