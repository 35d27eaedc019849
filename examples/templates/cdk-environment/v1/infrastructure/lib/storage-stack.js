'use strict';

const { CfnOutput, Duration, RemovalPolicy, Stack } = require('aws-cdk-lib');
const { Key } = require('aws-cdk-lib/aws-kms');
const { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership, StorageClass } = require('aws-cdk-lib/aws-s3');
const { Queue, QueueEncryption } = require('aws-cdk-lib/aws-sqs');

/** A bucket and a queue with its dead letters, encrypted with a key of their own. `inputs` are those of the schema. */
class StorageStack extends Stack {
  constructor(scope, id, { inputs, ...props }) {
    super(scope, id, props);
    const removalPolicy = inputs.keep_data ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;

    const key = new Key(this, 'Key', {
      description: 'Encrypts the objects and the messages of the environment.',
      enableKeyRotation: true,
      // What stays in the bucket could not be read without it.
      removalPolicy,
    });

    const bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      versioned: true,
      removalPolicy,
      lifecycleRules: [
        {
          noncurrentVersionExpiration: Duration.days(inputs.keep_old_versions_days),
          abortIncompleteMultipartUploadAfter: Duration.days(7),
          expiredObjectDeleteMarker: true,
        },
        ...archiving(inputs.archive_after_days),
      ],
    });

    const encrypted = { encryption: QueueEncryption.KMS, encryptionMasterKey: key, enforceSSL: true };
    const deadLetters = new Queue(this, 'DeadLetters', { ...encrypted, retentionPeriod: Duration.days(14) });
    const queue = new Queue(this, 'Queue', {
      ...encrypted,
      visibilityTimeout: Duration.seconds(inputs.visibility_timeout_seconds),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: inputs.receive_attempts },
    });

    this.output('BucketName', bucket.bucketName, 'The bucket.');
    this.output('BucketArn', bucket.bucketArn, "The bucket's ARN, for policies of services.");
    this.output('QueueUrl', queue.queueUrl, 'The queue.');
    this.output('QueueArn', queue.queueArn, "The queue's ARN, for policies of services.");
    this.output('DeadLetterQueueUrl', deadLetters.queueUrl, 'Where messages go that nobody could work on.');
    this.output('KeyArn', key.keyArn, 'The key that encrypts both.');
  }

  output(name, value, description) {
    new CfnOutput(this, `${name}Output`, { value, description }).overrideLogicalId(name);
  }
}

/** The rule that moves objects to a cheaper class after so many days; none for 0. */
function archiving(days) {
  if (days === 0) return [];
  return [{ transitions: [{ storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(days) }] }];
}

module.exports = { StorageStack };
