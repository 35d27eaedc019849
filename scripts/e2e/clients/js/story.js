// The story of the clients, told by the AWS SDK for JavaScript, version 3; the same one is in ../python_story.py.
//
// It uses every paginator and every waiter that the SDK exports, waiters into their failure state too, and fails when
// the SDK has one that the story does not know. Run it through ../../clients.sh.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { setTimeout: pause } = require("node:timers/promises");
const sdk = require("@aws-sdk/client-proton");
const s3 = require("@aws-sdk/client-s3");
const sts = require("@aws-sdk/client-sts");

const STARTED = Date.now();
const WAIT_SECONDS = 0.2;
const GITHUB = "GITHUB";
// A paginator of the SDK is told where pages begin, and not where the entries are.
const ENTRIES = {
  ListComponents: "components",
  ListComponentOutputs: "outputs",
  ListComponentProvisionedResources: "provisionedResources",
  ListDeployments: "deployments",
  ListEnvironmentAccountConnections: "environmentAccountConnections",
  ListEnvironmentOutputs: "outputs",
  ListEnvironmentProvisionedResources: "provisionedResources",
  ListEnvironments: "environments",
  ListEnvironmentTemplates: "templates",
  ListEnvironmentTemplateVersions: "templateVersions",
  ListRepositories: "repositories",
  ListRepositorySyncDefinitions: "syncDefinitions",
  ListServiceInstanceOutputs: "outputs",
  ListServiceInstanceProvisionedResources: "provisionedResources",
  ListServiceInstances: "serviceInstances",
  ListServicePipelineOutputs: "outputs",
  ListServicePipelineProvisionedResources: "provisionedResources",
  ListServices: "services",
  ListServiceTemplates: "templates",
  ListServiceTemplateVersions: "templateVersions",
  ListTagsForResource: "tags",
};
const WITHOUT_SIZE = /Outputs$|ProvisionedResources$|SyncDefinitions$/;

const note = (text) => console.log(`[${String(Math.round((Date.now() - STARTED) / 1000)).padStart(4)}s] ${text}`);
const exported = (prefix) =>
  Object.keys(sdk).filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
const values = (outputs) => Object.fromEntries(outputs.map(({ key, valueString }) => [key, valueString]));
const instance = (name) => ({ serviceName: "shop", name });

/** A client with nothing but the variables that every AWS client reads; `credentials` name another account. */
function clientOf(credentials) {
  return new sdk.ProtonClient(credentials ? { credentials } : {});
}

function serviceSpec(pipeline, instances) {
  return JSON.stringify({
    proton: "ServiceSpec",
    pipeline,
    instances: Object.entries(instances).map(([name, spec]) => ({
      name,
      environment: name === "prod" ? "shared" : "alpha",
      spec,
    })),
  });
}

class Story {
  constructor(setting) {
    this.setting = setting;
    this.proton = clientOf();
    this.other = clientOf(setting.other);
    this.role = `arn:aws:iam::${setting.account}:role/protium`;
    this.connection =
      `arn:aws:codestar-connections:${setting.region}:${setting.account}:connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11`;
    this.paginated = new Set();
    this.waited = new Set();
    this.failed = new Set();
  }

  // ---- what every chapter uses ------------------------------------------------------------------

  async call(operation, members = {}, client = this.proton) {
    const { $metadata, ...answer } = await client.send(new sdk[`${operation}Command`](members));
    assert.equal($metadata.httpStatusCode, 200);
    assert.ok($metadata.requestId, "an answer without a request id");
    return answer;
  }

  /** All entries, of which there are `count` or more; those of the pages are those of one large page. */
  async listed(count, operation, members = {}, client = this.proton) {
    const key = ENTRIES[operation];
    const isSized = !WITHOUT_SIZE.test(operation);
    const whole = await this.call(operation, isSized ? { ...members, maxResults: 100 } : members, client);
    assert.equal(whole.nextToken, undefined);
    const pages = [];
    for await (const page of sdk[`paginate${operation}`]({ client, ...(isSized && { pageSize: 1 }) }, members)) {
      pages.push(page[key]);
    }
    assert.deepEqual(pages.flat(), whole[key], `${operation}: its pages together are not one large page`);
    assert.ok(whole[key].length >= count, `${operation} has ${whole[key].length} entries`);
    if (isSized) {
      assert.ok(count >= 2 && pages.every((page) => page.length <= 1), `${operation}: ${JSON.stringify(pages)}`);
    }
    this.paginated.add(operation);
    return whole[key];
  }

  poll(waiter, members) {
    const pace = { client: this.proton, maxWaitTime: 120, minDelay: WAIT_SECONDS, maxDelay: WAIT_SECONDS };
    return sdk[`waitUntil${waiter}`](pace, members);
  }

  async wait(waiter, members) {
    const { state } = await this.poll(waiter, members);
    assert.equal(state, "SUCCESS");
    this.waited.add(waiter);
  }

  async waitFails(waiter, members) {
    await assert.rejects(this.poll(waiter, members), (error) => {
      assert.equal(JSON.parse(error.message).state, "FAILURE", error.message);
      return true;
    });
    this.failed.add(waiter);
  }

  /** The message of the error that a call must end with, in the SDK's own class for it. */
  async refused(code, operation, members, client = this.proton) {
    const error = await this.call(operation, members, client).then(
      (answer) => assert.fail(`${operation} answered ${JSON.stringify(answer)}`),
      (error) => error,
    );
    assert.ok(error instanceof sdk[code], `${operation}: ${error.name} is no ${code}: ${error.message}`);
    assert.ok(error.message && error.$metadata.requestId, error);
    return error.message;
  }

  isRecent(moment) {
    assert.ok(moment instanceof Date, `${moment} is no date`);
    assert.ok(Math.abs(moment - Date.now()) < Date.now() - STARTED + 60_000, moment.toISOString());
  }

  environmentSpec(name, inputs = {}) {
    const spec = { bucket: `${this.setting.prefix}-${name}`, ...inputs };
    return JSON.stringify({ proton: "EnvironmentSpec", spec });
  }

  /** Puts something into a bucket that a stack has made, or takes it out: CloudFormation deletes only empty ones. */
  async outside(method, bucket) {
    const body = method === "PUT" ? "kept" : undefined;
    const headers = { authorization: this.setting.emulatorKey };
    const answer = await fetch(`${this.setting.emulator}/${bucket}/kept`, { method, body, headers });
    assert.ok(answer.ok, `${method} ${bucket}: ${answer.status}`);
  }

  file(name) {
    return fs.readFileSync(path.join(this.setting.folder, name));
  }

  // ---- the chapters -----------------------------------------------------------------------------

  async identityAndBundles() {
    const { Account } = await new sts.STSClient({}).send(new sts.GetCallerIdentityCommand({}));
    assert.equal(Account, this.setting.account);
    const names = fs.readdirSync(path.join(this.setting.folder, "bundles")).sort();
    // Path style: the name of a bucket is no host here.
    const client = new s3.S3Client({ forcePathStyle: true });
    await client.send(new s3.CreateBucketCommand({ Bucket: "bundles" }));
    for (const name of names) {
      const Body = this.file(`bundles/${name}`);
      await client.send(new s3.PutObjectCommand({ Bucket: "bundles", Key: name, Body }));
    }
    const pages = [];
    for await (const page of s3.paginateListObjectsV2({ client, pageSize: 1 }, { Bucket: "bundles" })) {
      pages.push(page.Contents.map(({ Key }) => Key));
    }
    assert.deepEqual(pages, names.map((name) => [name]));
  }

  async templates() {
    const tags = [{ key: "team", value: "platform" }, { key: "stage", value: "test" }];
    const made = await this.call("CreateEnvironmentTemplate", { name: "network", displayName: "Network", tags });
    this.isRecent(made.environmentTemplate.createdAt);
    await this.call("CreateEnvironmentTemplate", { name: "network-too" });
    await this.call("CreateServiceTemplate", { name: "web" });
    await this.call("CreateServiceTemplate", { name: "web-too" });
    const kinds = [
      ["Environment", "network", {}],
      ["Service", "web", {
        compatibleEnvironmentTemplates: [{ templateName: "network", majorVersion: "1" }],
        supportedComponentSources: ["DIRECTLY_DEFINED"],
      }],
    ];
    for (const [kind, templateName, more] of kinds) {
      const create = async (members) => {
        const answer = await this.call(`Create${kind}TemplateVersion`, { templateName, ...more, ...members });
        return answer[`${kind.toLowerCase()}TemplateVersion`];
      };
      const source = { s3: { bucket: "bundles", key: `${kind.toLowerCase()}.tar.gz` } };
      // The answer to the first of these gets lost on the way. The client repeats it with the token that it made, and
      // nothing is made twice.
      const first = await create({ source });
      assert.deepEqual([first.majorVersion, first.minorVersion], ["1", "0"]);
      for (let repeat = 0; repeat < 2; repeat++) {
        const second = await create({ source, majorVersion: "1", clientToken: `${kind}-second` });
        assert.equal(second.minorVersion, "1");
      }
      await create({ templateName: `${templateName}-too`, source: { s3: { bucket: "bundles", key: "broken.tar.gz" } } });
    }
    for (const [kind, templateName] of kinds) {
      const waiter = `${kind}TemplateVersionRegistered`;
      for (const minorVersion of ["0", "1"]) {
        const numbers = { templateName, majorVersion: "1", minorVersion };
        await this.wait(waiter, numbers);
        await this.call(`Update${kind}TemplateVersion`, { ...numbers, status: "PUBLISHED" });
      }
      await this.waitFails(waiter, { templateName: `${templateName}-too`, majorVersion: "1", minorVersion: "0" });
      assert.equal((await this.listed(2, `List${kind}Templates`)).length, 2);
      const versions = await this.listed(2, `List${kind}TemplateVersions`, { templateName, majorVersion: "1" });
      assert.equal(versions.length, 2);
    }
    note("templates are registered and published");
  }

  /** Two of another account, for two environments: one is accepted, one is not. */
  async connections() {
    this.connectionIds = {};
    const managementAccountId = this.setting.account;
    const roleArn = `arn:aws:iam::${this.setting.other.account}:role/protium`;
    const create = "CreateEnvironmentAccountConnection";
    for (const environmentName of ["shared", "refused"]) {
      const { environmentAccountConnection: made } =
        await this.call(create, { managementAccountId, environmentName, roleArn }, this.other);
      assert.equal(made.status, "PENDING");
      this.isRecent(made.requestedAt);
      this.connectionIds[environmentName] = made.id;
    }
    const tooMany = { managementAccountId, environmentName: "one-too-many" };
    await this.refused("ServiceQuotaExceededException", create, tooMany, this.other);
    const list = "ListEnvironmentAccountConnections";
    await this.listed(2, list, { requestedBy: "MANAGEMENT_ACCOUNT", statuses: ["PENDING"] });
    await this.listed(2, list, { requestedBy: "ENVIRONMENT_ACCOUNT" }, this.other);
    const { shared, refused } = this.connectionIds;
    await this.refused("AccessDeniedException", "AcceptEnvironmentAccountConnection", { id: shared }, this.other);
    await this.call("AcceptEnvironmentAccountConnection", { id: shared });
    await this.call("RejectEnvironmentAccountConnection", { id: refused });
    for (const [id, status] of [[shared, "CONNECTED"], [refused, "REJECTED"]]) {
      const now = await this.call("GetEnvironmentAccountConnection", { id }, this.other);
      assert.equal(now.environmentAccountConnection.status, status);
    }
    note("an account connection is accepted, another one is rejected");
  }

  async environments() {
    const template = { templateName: "network", templateMajorVersion: "1" };
    const roles = { protonServiceRoleArn: this.role, componentRoleArn: this.role };
    await this.call("CreateEnvironment", { name: "alpha", ...template, ...roles, spec: this.environmentSpec("alpha") });
    const environmentAccountConnectionId = this.connectionIds.shared;
    const spec = this.environmentSpec("shared");
    await this.call("CreateEnvironment", { name: "shared", ...template, environmentAccountConnectionId, spec });
    const broken = this.environmentSpec("faulty", { broken: true });
    await this.call("CreateEnvironment", { name: "faulty", ...template, ...roles, spec: broken });
    const wrong = { name: "nowhere", ...template, ...roles, spec: "proton: ServiceSpec" };
    assert.match(await this.refused("ValidationException", "CreateEnvironment", wrong), /EnvironmentSpec/);
    await this.wait("EnvironmentDeployed", { name: "alpha" });
    await this.wait("EnvironmentDeployed", { name: "shared" });
    await this.waitFails("EnvironmentDeployed", { name: "faulty" });
    assert.equal((await this.listed(2, "ListEnvironments")).length, 3);
    const { environment: faulty } = await this.call("GetEnvironment", { name: "faulty" });
    assert.ok(faulty.deploymentStatus === "FAILED" && faulty.deploymentStatusMessage);
    const { environment: shared } = await this.withUnknownMember("GetEnvironment", { name: "shared" });
    assert.equal(shared.environmentAccountId, this.setting.other.account);
    this.isRecent(shared.lastDeploymentSucceededAt);
    const outputs = values(await this.listed(2, "ListEnvironmentOutputs", { environmentName: "alpha" }));
    assert.deepEqual(outputs, { Bucket: `${this.setting.prefix}-alpha`, Greeting: "hello" });
    const [stack] = await this.listed(1, "ListEnvironmentProvisionedResources", { environmentName: "alpha" });
    assert.ok(stack.name.startsWith("AWSProton-alpha-"), stack.name);
    note("environments are deployed, one in another account, and one has failed");
  }

  /** The same call with a member in its body that no model has. */
  withUnknownMember(operation, members) {
    const client = clientOf();
    const add = (next) => (step) => {
      step.request.body = JSON.stringify({ ...members, aMemberOfNoModel: { a: [1] } });
      return next(step);
    };
    client.middlewareStack.add(add, { step: "build", priority: "high", name: "anUnknownMember" });
    return this.call(operation, members, client);
  }

  async repositories() {
    for (const name of ["team/infrastructure", "team/shop"]) {
      await this.call("CreateRepository", { provider: GITHUB, name, connectionArn: this.connection });
    }
    assert.equal((await this.listed(2, "ListRepositories")).length, 2);
    const followed = { repositoryProvider: GITHUB, repositoryName: "team/infrastructure" };
    const template = { templateName: "network", templateType: "ENVIRONMENT" };
    await this.call("CreateTemplateSyncConfig", { ...template, ...followed, branch: "main", subdirectory: "network" });
    const syncType = "TEMPLATE_SYNC";
    const [definition] = await this.listed(1, "ListRepositorySyncDefinitions", { ...followed, syncType });
    assert.ok(definition.parent === "network" && definition.branch === "main", JSON.stringify(definition));
    assert.deepEqual(await this.call("GetTemplateSyncStatus", { ...template, templateVersion: "1" }), {});
    await this.refused("ConflictException", "DeleteRepository", { provider: GITHUB, name: "team/infrastructure" });
    note("repositories are linked, and a template follows one");
  }

  async services() {
    const shop = {
      name: "shop", templateName: "web", templateMajorVersion: "1", repositoryConnectionArn: this.connection,
      repositoryId: "team/shop", branchName: "main", spec: serviceSpec({}, { dev: {}, prod: {} }),
    };
    const message = await this.refused("ValidationException", "CreateService", shop);
    assert.match(message, /Operation cannot be run until pipeline roles have been configured/);
    await this.call("UpdateAccountSettings", { pipelineServiceRoleArn: this.role });
    await this.call("CreateService", shop);
    await this.call("CreateService", { ...shop, name: "sad", spec: serviceSpec({}, { dev: { broken: true } }) });
    await this.wait("ServiceCreated", { name: "shop" });
    await this.waitFails("ServiceCreated", { name: "sad" });
    await this.wait("ServicePipelineDeployed", { name: "shop" });
    for (const name of ["dev", "prod"]) await this.wait("ServiceInstanceDeployed", instance(name));
    assert.equal((await this.listed(2, "ListServices")).length, 2);
    const instances = await this.listed(3, "ListServiceInstances", { sortBy: "name", sortOrder: "DESCENDING" });
    assert.deepEqual(instances.map(({ name }) => name), ["prod", "dev", "dev"]);
    const place = { serviceName: "shop", serviceInstanceName: "prod" };
    const outputs = values(await this.listed(3, "ListServiceInstanceOutputs", place));
    const bucket = `${this.setting.prefix}-shared-shop-prod`;
    assert.equal(outputs.Bucket, bucket);
    await this.listed(1, "ListServiceInstanceProvisionedResources", place);
    const ofPipeline = values(await this.listed(2, "ListServicePipelineOutputs", { serviceName: "shop" }));
    assert.ok(ofPipeline.Instances.includes(`prod=${bucket}`), ofPipeline.Instances);
    await this.listed(1, "ListServicePipelineProvisionedResources", { serviceName: "shop" });
    this.isRecent((await this.call("GetService", { name: "shop" })).service.createdAt);
    const followed = { repositoryProvider: GITHUB, repositoryName: "team/shop", branch: "main" };
    await this.call("CreateServiceSyncConfig", { serviceName: "shop", ...followed, filePath: "ops/proton-ops.yaml" });
    note("a service with two instances and a pipeline is active, and one has failed");
  }

  async components() {
    const manifest = this.file("components/manifest.yaml").toString();
    const templateFile = this.file("components/cloudformation.yaml").toString();
    const brokenFile = this.file("components/broken.yaml").toString();
    const files = { manifest, templateFile };
    const place = { serviceName: "shop", serviceInstanceName: "dev" };
    const deploymentType = "CURRENT_VERSION";
    const arns = [];
    for (let repeat = 0; repeat < 2; repeat++) {
      const uploads = { name: "uploads", ...place, ...files, clientToken: "uploads-once" };
      arns.push((await this.call("CreateComponent", uploads)).component.arn);
    }
    assert.equal(arns[0], arns[1]);
    const spare = { name: "spare", environmentName: "alpha", ...files };
    await this.call("CreateComponent", spare);
    await this.refused("ConflictException", "CreateComponent", spare);
    const greeting = { greeting: "welcome" };
    const welcoming = serviceSpec(greeting, { dev: {}, prod: {} });
    await this.call("UpdateServicePipeline", { serviceName: "shop", deploymentType, spec: welcoming });
    for (const name of ["uploads", "spare"]) await this.wait("ComponentDeployed", { name });
    await this.wait("ServicePipelineDeployed", { name: "shop" });
    await this.wait("ServiceInstanceDeployed", instance("dev"));
    assert.equal((await this.listed(2, "ListComponents", { environmentName: "alpha" })).length, 2);
    const bucket = `${this.setting.prefix}-alpha-uploads`;
    const outputs = values(await this.listed(2, "ListComponentOutputs", { componentName: "uploads" }));
    assert.deepEqual(outputs, { Bucket: bucket, Component: "uploads" });
    await this.listed(1, "ListComponentProvisionedResources", { componentName: "uploads" });
    assert.equal((await this.instanceOutputs("dev")).OfComponent, bucket);
    const ofPipeline = await this.call("ListServicePipelineOutputs", { serviceName: "shop" });
    assert.equal(values(ofPipeline.outputs).Greeting, "welcome");
    note("a component is attached, and its instance was deployed again with it");

    // A change of each that works, or does not.
    const broken = serviceSpec({ ...greeting, broken: true }, { dev: {}, prod: greeting });
    await this.call("UpdateComponent", { name: "spare", deploymentType, templateFile: brokenFile });
    await this.call("UpdateServicePipeline", { serviceName: "shop", deploymentType, spec: broken });
    await this.call("UpdateServiceInstance", { ...instance("prod"), deploymentType, spec: broken });
    const nowhere = { serviceName: "", serviceInstanceName: "" };
    await this.call("UpdateComponent", { name: "uploads", deploymentType, ...nowhere });
    await this.waitFails("ComponentDeployed", { name: "spare" });
    await this.waitFails("ServicePipelineDeployed", { name: "shop" });
    await this.wait("ServiceInstanceDeployed", instance("prod"));
    await this.wait("ComponentDeployed", { name: "uploads" });
    await this.wait("ServiceInstanceDeployed", instance("dev"));
    assert.equal((await this.instanceOutputs("prod")).Greeting, "welcome");
    assert.equal((await this.instanceOutputs("dev")).OfComponent, "none");

    const brokenToo = serviceSpec(greeting, { dev: { broken: true }, prod: greeting });
    await this.call("UpdateServiceInstance", { ...instance("dev"), deploymentType, spec: brokenToo });
    await this.outside("PUT", bucket);
    await this.call("DeleteComponent", { name: "uploads" });
    await this.waitFails("ServiceInstanceDeployed", instance("dev"));
    await this.waitFails("ComponentDeleted", { name: "uploads" });
    await this.outside("DELETE", bucket);
    for (const name of ["uploads", "spare"]) await this.call("DeleteComponent", { name });
    for (const name of ["uploads", "spare"]) await this.wait("ComponentDeleted", { name });
    note("components are detached and deleted, and each change that can't work has failed");
  }

  async instanceOutputs(serviceInstanceName) {
    const members = { serviceName: "shop", serviceInstanceName };
    return values((await this.call("ListServiceInstanceOutputs", members)).outputs);
  }

  async serviceUpdates() {
    // What has failed above is not in the service's spec.
    const greeting = { greeting: "welcome" };
    const more = { dev: {}, prod: greeting, extra: {} };
    await this.call("UpdateService", { name: "shop", spec: serviceSpec(greeting, more) });
    await this.wait("ServiceUpdated", { name: "shop" });
    assert.equal((await this.instanceOutputs("extra")).Bucket, `${this.setting.prefix}-alpha-shop-extra`);
    const doomed = serviceSpec(greeting, { ...more, doomed: { broken: true } });
    await this.call("UpdateService", { name: "shop", spec: doomed });
    await this.waitFails("ServiceUpdated", { name: "shop" });
    const extra = { serviceName: "shop", serviceInstanceName: "extra" };
    const { serviceSyncBlockerSummary } = await this.call("GetServiceSyncBlockerSummary", extra);
    const [blocker] = serviceSyncBlockerSummary.latestBlockers;
    assert.equal(blocker.status, "ACTIVE");
    this.isRecent(blocker.createdAt);
    const resolution = { id: blocker.id, resolvedReason: "it is in Git now" };
    const { serviceSyncBlocker } = await this.call("UpdateServiceSyncBlocker", resolution);
    assert.equal(serviceSyncBlocker.status, "RESOLVED");
    note("the service has an instance more, and could not get another one");
  }

  async historyAndTags() {
    const deployments = await this.listed(5, "ListDeployments", { serviceName: "shop" });
    this.isRecent(deployments[0].createdAt);
    const { id } = deployments.find(({ serviceInstanceName }) => serviceInstanceName === "prod");
    const { deployment } = await this.call("GetDeployment", { id });
    assert.deepEqual(Object.keys(deployment.targetState), ["serviceInstance"]);
    const spec = this.environmentSpec("alpha", { greeting: "welcome" });
    await this.call("UpdateEnvironment", { name: "alpha", deploymentType: "CURRENT_VERSION", spec });
    await this.wait("EnvironmentDeployed", { name: "alpha" });
    const { outputs } = await this.call("ListEnvironmentOutputs", { environmentName: "alpha" });
    assert.equal(values(outputs).Greeting, "welcome");
    const { counts } = await this.call("GetResourcesSummary");
    assert.deepEqual([counts.environments.total, counts.environments.failed], [3, 1]);
    const resourceArn = `arn:aws:proton:${this.setting.region}:${this.setting.account}:environment-template/network`;
    await this.call("TagResource", { resourceArn, tags: [{ key: "owner", value: "me" }] });
    await this.call("UntagResource", { resourceArn, tagKeys: ["stage"] });
    const tags = await this.listed(2, "ListTagsForResource", { resourceArn });
    const own = Object.fromEntries(tags.filter(({ key }) => !key.startsWith("aws:")).map(({ key, value }) => [key, value]));
    assert.deepEqual(own, { owner: "me", team: "platform" });
    note("the history, the tags and the counts are right");
  }

  async errors() {
    await this.refused("ResourceNotFoundException", "GetEnvironment", { name: "nowhere" });
    await this.refused("ConflictException", "DeleteEnvironmentTemplate", { name: "network" });
    await this.refused("ValidationException", "CreateEnvironmentTemplate", { name: "not a name" });
  }

  /** Everything goes; what CloudFormation can't delete at first goes the second time. */
  async farewell() {
    await this.call("DeleteServiceSyncConfig", { serviceName: "shop" });
    const bucket = `${this.setting.prefix}-shared-shop-prod`;
    await this.outside("PUT", bucket);
    for (const name of ["sad", "shop"]) await this.call("DeleteService", { name });
    await this.wait("ServiceDeleted", { name: "sad" });
    await this.waitFails("ServiceDeleted", { name: "shop" });
    await this.outside("DELETE", bucket);
    await this.call("DeleteService", { name: "shop" });
    await this.wait("ServiceDeleted", { name: "shop" });
    const environments = ["alpha", "shared", "faulty"];
    for (const name of environments) await this.call("DeleteEnvironment", { name });
    for (const name of environments) await this.gone("GetEnvironment", { name });
    for (const id of Object.values(this.connectionIds)) {
      await this.call("DeleteEnvironmentAccountConnection", { id }, this.other);
    }
    await this.call("DeleteTemplateSyncConfig", { templateName: "network", templateType: "ENVIRONMENT" });
    for (const name of ["team/infrastructure", "team/shop"]) {
      await this.call("DeleteRepository", { provider: GITHUB, name });
    }
    // The recommended version goes last.
    for (const [kind, name] of [["Service", "web"], ["Environment", "network"]]) {
      for (const [templateName, minors] of [[name, ["0", "1"]], [`${name}-too`, ["0"]]]) {
        for (const minorVersion of minors) {
          await this.call(`Delete${kind}TemplateVersion`, { templateName, majorVersion: "1", minorVersion });
        }
        await this.call(`Delete${kind}Template`, { name: templateName });
      }
    }
    for (const operation of ["ListServices", "ListEnvironments", "ListServiceTemplates", "ListRepositories"]) {
      assert.deepEqual((await this.call(operation))[ENTRIES[operation]], []);
    }
    note("everything is deleted");
  }

  /** There is no waiter for an environment that goes. */
  async gone(operation, members) {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await pause(WAIT_SECONDS * 1000)) {
      try {
        await this.call(operation, members);
      } catch (error) {
        if (error instanceof sdk.ResourceNotFoundException) return;
        throw error;
      }
    }
    assert.fail(`${JSON.stringify(members)} is still there`);
  }

  nothingWasLeftOut() {
    for (const [what, used, known] of [
      ["paginators", this.paginated, exported("paginate")],
      ["waiters", this.waited, exported("waitUntil")],
      ["waiters into their failure state", this.failed, exported("waitUntil")],
    ]) {
      assert.ok(known.length > 0);
      assert.deepEqual([...used].sort(), known.sort(), `${what} that were used, and that there are`);
      note(`all ${used.size} ${what} were used`);
    }
  }

  async tell() {
    await this.identityAndBundles();
    await this.templates();
    await this.connections();
    await this.environments();
    await this.repositories();
    await this.services();
    await this.components();
    await this.serviceUpdates();
    await this.historyAndTags();
    await this.errors();
    await this.farewell();
    this.nothingWasLeftOut();
  }
}

new Story(JSON.parse(fs.readFileSync(process.argv[2], "utf8"))).tell().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
