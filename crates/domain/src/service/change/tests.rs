//! The machine of a service as a whole, act by act, and that it never waits for nothing.

use super::*;
use DeploymentStatus as S;
use proptest::prelude::*;

fn id(n: u8) -> Id {
    Id::from_random([n; 16])
}

fn part(n: u8, status: S) -> Part {
    let message = matches!(status, S::Failed | S::DeleteFailed).then(|| format!("cause-{n}"));
    Part { id: id(n), arn: format!("arn-{n}"), status, message }
}

fn removed(n: u8) -> Removed {
    Removed { id: id(n), before: Before { status: S::Succeeded, message: None } }
}

fn explained(why: &str, status: ServiceStatus) -> [Act; 2] {
    [Act::Explain(why.into()), Act::Settle(status)]
}

const PIPELINE_FAILED: &str = "The pipeline is FAILED: no such role";
const WAITING: Option<Pipeline> = Some(Pipeline { status: S::InProgress, message: None, waiting: true });

fn pipeline(status: S) -> Option<Pipeline> {
    let message = matches!(status, S::Failed | S::DeleteFailed).then(|| "no such role".to_owned());
    Some(Pipeline { status, message, waiting: false })
}

#[test]
fn a_create_deploys_instances_then_the_pipeline() {
    let change = Change::new(Kind::Create);
    assert_eq!(advance(&change, &[part(1, S::Succeeded), part(2, S::InProgress)], WAITING), []);
    let ready = [part(1, S::Succeeded), part(2, S::Succeeded)];
    assert_eq!(advance(&change, &ready, WAITING), [Act::Enter(Stage::Pipeline), Act::StartPipeline]);
    assert_eq!(advance(&change, &ready, None), [Act::Settle(ServiceStatus::Active)]);
    let last = Change { stage: Stage::Pipeline, ..change };
    assert_eq!(advance(&last, &ready, pipeline(S::InProgress)), []);
    assert_eq!(advance(&last, &ready, pipeline(S::Succeeded)), [Act::Settle(ServiceStatus::Active)]);
    assert_eq!(advance(&last, &ready, pipeline(S::Failed)), explained(PIPELINE_FAILED, ServiceStatus::CreateFailed));
}

#[test]
fn a_failed_instance_fails_the_waiting_pipeline_with_the_known_words() {
    let acts = advance(&Change::new(Kind::Create), &[part(1, S::Failed), part(2, S::Succeeded)], WAITING);
    assert_eq!(
        acts,
        [
            Act::FailPipeline("Service Instance(s): [arn-1] failed to deploy - canceling pipeline deployment".into()),
            Act::Explain("Service Instance(s): [arn-1] failed to deploy: cause-1".into()),
            Act::Settle(ServiceStatus::CreateFailed)
        ]
    );
}

#[test]
fn an_update_creates_then_removes_then_redeploys_the_pipeline() {
    let mut change = Change::new(Kind::Update);
    change.added = vec![id(2)];
    change.removed = vec![removed(1)];
    let parts = [part(1, S::DeleteInProgress), part(2, S::Succeeded)];
    assert_eq!(advance(&change, &parts, WAITING), [Act::Enter(Stage::Removing), Act::Destroy(vec![id(1)])]);
    change.stage = Stage::Removing;
    assert_eq!(advance(&change, &parts, WAITING), []);
    assert_eq!(advance(&change, &parts[1..], WAITING), [Act::Enter(Stage::Pipeline), Act::StartPipeline]);
    assert_eq!(advance(&change, &parts[1..], None), [Act::Settle(ServiceStatus::Active)]);
    let stuck = [part(1, S::DeleteFailed), part(2, S::Succeeded)];
    let left =
        explained("Service Instance(s): [arn-1] failed to delete: cause-1", ServiceStatus::UpdateCompleteCleanupFailed);
    assert_eq!(advance(&change, &stuck, None), left);
    change.stage = Stage::Pipeline;
    assert_eq!(advance(&change, &stuck, pipeline(S::Succeeded)), left);
    let [instance, _] = left;
    let [of_pipeline, settle] = explained(PIPELINE_FAILED, ServiceStatus::UpdateFailed);
    assert_eq!(advance(&change, &stuck, pipeline(S::Failed)), [instance, of_pipeline, settle]);
    let failed = explained(PIPELINE_FAILED, ServiceStatus::UpdateFailed);
    assert_eq!(advance(&change, &parts[1..], pipeline(S::Failed)), failed);
}

#[test]
fn a_failed_addition_is_cleaned_up_and_nothing_is_removed() {
    let mut change = Change::new(Kind::Update);
    change.added = vec![id(2), id(3)];
    change.removed = vec![removed(1)];
    let parts = [part(1, S::DeleteInProgress), part(2, S::Failed), part(3, S::Succeeded)];
    assert_eq!(
        advance(&change, &parts, WAITING),
        [
            Act::Revert,
            Act::Explain("Service Instance(s): [arn-2] failed to deploy: cause-2".into()),
            Act::Enter(Stage::CleaningUp),
            Act::Show(ServiceStatus::UpdateFailedCleanupInProgress),
            Act::Destroy(vec![id(2), id(3)])
        ]
    );
    change.stage = Stage::CleaningUp;
    let kept = part(1, S::Succeeded);
    assert_eq!(
        advance(&change, &[kept.clone(), part(3, S::DeleteFailed)], None),
        explained("Service Instance(s): [arn-3] failed to delete: cause-3", ServiceStatus::UpdateFailedCleanupFailed)
    );
    assert_eq!(advance(&change, &[kept], None), [Act::Settle(ServiceStatus::UpdateFailedCleanupComplete)]);
}

#[test]
fn a_delete_ends_when_all_parts_are_gone_or_stuck() {
    let change = Change::new(Kind::Delete);
    assert_eq!(advance(&change, &[part(1, S::DeleteInProgress)], None), []);
    assert_eq!(advance(&change, &[part(1, S::DeleteFailed)], pipeline(S::DeleteInProgress)), []);
    let instance = "Service Instance(s): [arn-1] failed to delete: cause-1";
    let both = format!("{instance}; The pipeline is DELETE_FAILED: no such role");
    let stuck = [part(1, S::DeleteFailed)];
    assert_eq!(advance(&change, &stuck, None), explained(instance, ServiceStatus::DeleteFailed));
    assert_eq!(advance(&change, &stuck, pipeline(S::DeleteFailed)), explained(&both, ServiceStatus::DeleteFailed));
    assert_eq!(advance(&change, &[], None), [Act::Remove]);
}

#[test]
fn a_failed_retry_ends_the_update_without_a_cleanup() {
    let mut change = Change::new(Kind::Update);
    change.retried = vec![id(1)];
    let why = "Service Instance(s): [arn-1] failed to deploy: cause-1";
    assert_eq!(
        advance(&change, &[part(1, S::Failed), part(2, S::Failed)], WAITING),
        [Act::Revert, Act::Explain(why.into()), Act::Settle(ServiceStatus::UpdateFailed)]
    );
}

#[test]
fn a_pipeline_that_was_cancelled_before_its_turn_is_waited_for_and_fails_the_service() {
    let (change, ready) = (Change::new(Kind::Create), [part(1, S::Succeeded)]);
    assert_eq!(advance(&change, &ready, pipeline(S::Cancelling)), [Act::Enter(Stage::Pipeline)]);
    let why = "The pipeline is CANCELLED";
    let acts = advance(&change, &ready, pipeline(S::Cancelled));
    let [end, settle] = explained(why, ServiceStatus::CreateFailed);
    assert_eq!(acts, [Act::Enter(Stage::Pipeline), end, settle]);
    assert_eq!(advance(&change, &[part(1, S::Failed)], pipeline(S::Cancelling)), []);
}

#[test]
fn a_status_message_is_cut_at_its_limit_between_characters() {
    let long = joined(Some("é".repeat(4_999)), "ü and more");
    assert_eq!((long.chars().count(), long.chars().last()), (5_000, Some(';')));
}

#[test]
fn a_long_cause_leaves_room_for_the_next_part() {
    let endless = |what: &str| Some(what.repeat(5_000));
    let instance = Part { message: endless("é"), ..part(1, S::DeleteFailed) };
    let pipeline = Pipeline { status: S::DeleteFailed, message: endless("ü"), waiting: false };
    let acts = advance(&Change::new(Kind::Delete), &[instance], Some(pipeline));
    let cause = |what: &str| what.repeat(2_000);
    let both = format!(
        "Service Instance(s): [arn-1] failed to delete: {}; The pipeline is DELETE_FAILED: {}",
        cause("é"),
        cause("ü")
    );
    assert_eq!(acts, explained(&both, ServiceStatus::DeleteFailed));
}

#[test]
fn a_failed_update_keeps_what_was_deployed_meanwhile() {
    let spec = |instances: &str| format!("proton: ServiceSpec\ninstances:\n{instances}");
    let entry = |name: &str, port: u16| format!("  - name: {name}\n    environment: e\n    spec: {{port: {port}}}\n");
    let before = spec(&(entry("gone", 1) + &entry("kept", 1)));
    let now = spec(&(entry("kept", 2) + &entry("new", 1)));
    let reverted = reverted_spec(&before, &now).expect("both are specs");
    let reverted = ServiceSpec::parse(&reverted).expect("a spec");
    let ports: Vec<_> = reverted.instances.iter().map(|one| (one.name.as_str(), one.inputs["port"].as_u64())).collect();
    assert_eq!(ports, [("gone", Some(1)), ("kept", Some(2))]);
    assert_eq!(reverted_spec(&before, &spec(&entry("kept", 1))), Ok(before));
}

fn any_status() -> impl Strategy<Value = S> {
    proptest::sample::select(S::ALL)
}

proptest! {
    /// A change waits only while a part is active: otherwise nobody would wake it again.
    #[test]
    fn nothing_waits_without_something_to_wait_for(
        kind in proptest::sample::select(&[Kind::Create, Kind::Update, Kind::Delete][..]),
        stage in proptest::sample::select(&[Stage::Instances, Stage::Removing, Stage::Pipeline, Stage::CleaningUp][..]),
        statuses in proptest::collection::vec(any_status(), 0..5),
        pipeline_status in proptest::option::of((any_status(), any::<bool>())),
        (added, retried, removed) in (0usize..3, 0usize..2, 0usize..3),
    ) {
        let parts: Vec<Part> = statuses.iter().enumerate().map(|(n, s)| part(n as u8, *s)).collect();
        let mut change = Change { stage, ..Change::new(kind) };
        let mut ids = parts.iter().map(|part| part.id.clone());
        change.added = ids.by_ref().take(added).collect();
        change.retried = ids.by_ref().take(retried).collect();
        change.removed = ids.take(removed).map(|id| Removed { id, before: Before { status: S::Succeeded, message: None } }).collect();
            // A service that is deleted has settled before: nothing waits.
        let pipeline = pipeline_status.map(|(status, waiting)| Pipeline {
            status: if waiting { S::InProgress } else { status },
            message: None,
            waiting: waiting && stage != Stage::Pipeline && kind != Kind::Delete,
        });
        let acts = advance(&change, &parts, pipeline.clone());
        let active = parts.iter().any(|part| part.status.is_active())
            || pipeline.as_ref().is_some_and(|pipeline| pipeline.status.is_active() && !pipeline.waiting);
        prop_assert!(!acts.is_empty() || active || (stage == Stage::Pipeline && pipeline.is_some_and(|p| p.status.is_active())));
    }
}
