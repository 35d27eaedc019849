//! Account settings: what the pipelines of an account are provisioned with in a region.

use super::{Context, repository, wire};
use crate::error::{Error, Result, invalid};
use crate::store::{account_settings_get, account_settings_save};
use crate::transaction;
use protium_api::types as api;
use protium_api::types::*;
use protium_domain::account::AccountSettings;
use protium_domain::arn::Scope;
use protium_domain::repository::RepositoryBranch;

const MEMBER: &str = "pipelineProvisioningRepository";

/// `GetAccountSettings`. There always are settings; fresh ones have no members.
pub(super) async fn get(cx: &Context, _: GetAccountSettingsInput) -> Result<GetAccountSettingsOutput> {
    let settings = account_settings_get(&mut cx.store().reader().await?, cx.scope()).await?;
    Ok(GetAccountSettingsOutput { account_settings: Some(shown(cx.scope(), settings)) })
}

/// `UpdateAccountSettings`. What is left out stays; an empty role removes the one that was set.
pub(super) async fn update(cx: &Context, input: UpdateAccountSettingsInput) -> Result<UpdateAccountSettingsOutput> {
    let delete_repository = input.delete_pipeline_provisioning_repository.unwrap_or(false);
    let given = input.pipeline_provisioning_repository.as_ref();
    let repository = given.map(|given| repository::branch(MEMBER, given)).transpose()?;
    if repository.is_some() && delete_repository {
        return Err(invalid(
            "pipelineProvisioningRepository, deletePipelineProvisioningRepository",
            "one sets the repository and the other removes it; give only one of the two",
        ));
    }
    transaction!(cx.store(), async |tx| -> Result<UpdateAccountSettingsOutput> {
        let mut settings = account_settings_get(tx, cx.scope()).await?;
        replace(&mut settings.pipeline_service_role, input.pipeline_service_role_arn.as_deref());
        replace(&mut settings.pipeline_codebuild_role, input.pipeline_codebuild_role_arn.as_deref());
        if delete_repository {
            settings.pipeline_repository = None;
        }
        if let Some(branch) = &repository {
            if !repository::is_linked(tx, cx.scope(), branch).await? {
                return Err(not_linked(branch));
            }
            settings.pipeline_repository = Some(branch.clone());
        }
        account_settings_save(tx, cx.scope(), &settings).await?;
        Ok(UpdateAccountSettingsOutput { account_settings: shown(cx.scope(), settings) })
    })
}

fn not_linked(branch: &RepositoryBranch) -> Error {
    let (name, provider) = (&branch.name, branch.provider);
    invalid(
        MEMBER,
        format_args!("the repository '{name}' of {provider} is not linked; link it with CreateRepository first"),
    )
}

/// Absent keeps, empty removes. The form of a role's ARN is checked with the shape of the request.
fn replace(role: &mut Option<String>, given: Option<&str>) {
    if let Some(given) = given {
        *role = (!given.is_empty()).then(|| given.to_owned());
    }
}

fn shown(scope: &Scope, settings: AccountSettings) -> api::AccountSettings {
    api::AccountSettings {
        pipeline_codebuild_role_arn: settings.pipeline_codebuild_role,
        pipeline_provisioning_repository: settings
            .pipeline_repository
            .as_ref()
            .map(|branch| wire::repository_branch(scope, branch)),
        pipeline_service_role_arn: settings.pipeline_service_role,
    }
}
