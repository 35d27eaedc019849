'use strict';

// The app: one stack, with the inputs of the environment.

const { App, BootstraplessSynthesizer } = require('aws-cdk-lib');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { StorageStack } = require('../lib/storage-stack');

// What Protium writes beside the manifest: { environment: { name, inputs } }, with the schema's defaults filled in.
const { environment } = JSON.parse(readFileSync(join(__dirname, '..', 'proton-inputs.json'), 'utf8'));

const app = new App();
new StorageStack(app, 'Storage', {
  // The name that Protium chose: unique, stable, and one that roles limited to AWSProton-* may use.
  stackName: process.env.STACK_NAME,
  description: `Storage and a queue of the environment ${environment.name}`,
  // There are no assets, so the account needs no bootstrapping, and everything is done by the role of the run.
  synthesizer: new BootstraplessSynthesizer(),
  inputs: environment.inputs,
});
