import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ArgumentProblems } from "./argument-problems";
import { expectAccountId, expectBucketName, expectRegion } from "./aws-names";
import { bucketArnOf, replicateBucket } from "./bucket-replication";
import { markExpectation, markPattern, tagsOf } from "./labels-and-tags";

/** Which images a registry copies. */
export interface ImageCopyArgs {
  /** Repositories whose names begin so, for instance `disaster-recovery`. */
  repositoryPrefix: string;
}

/** The bucket that holds Pulumi's state. */
export interface StateBucketArgs {
  /** An existing bucket in the region, with versioning on. */
  bucketName: string;
  /** The KMS key that encrypts it. @default none: S3's own */
  keyArn?: pulumi.Input<string>;
}

export interface RecoveryCopiesArgs {
  application: string;
  environment: string;
  /** The region that serves. */
  region: string;
  /** Where the copies go. */
  recoveryRegion: string;
  accountId: string;
  /**
   * Have the region's ECR registry copy the job image. It is the registry's only replication configuration and replaces
   * another one. @default no: something else brings the image there
   */
  images?: ImageCopyArgs;
  /** Copy Pulumi's state. @default no: it is in no bucket of this region */
  stateBucket?: StateBucketArgs;
  /** Told when a copy fails or is late. @default nobody */
  alarmTopicArns?: pulumi.Input<string>[];
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * What a recovery needs besides the data, where the recovery happens: the image that its jobs run, and the state of
 * Pulumi. Both are copied as they come, on quiet days, so that the night of a recovery creates nothing for them.
 */
export class RecoveryCopies extends pulumi.ComponentResource {
  /** The bucket with the copy of the state. */
  public readonly stateCopyBucketName: pulumi.Output<string | undefined>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: RecoveryCopiesArgs, opts: pulumi.ComponentResourceOptions = {}) {
    recoveryCopiesProblems(args).throwIfAny("RecoveryCopies", name);
    super("disaster-recovery:index:RecoveryCopies", name, args, opts);
    if (args.images !== undefined) this.images(name, args, args.images);
    this.stateCopyBucketName = pulumi.output(args.stateBucket && this.state(name, args, args.stateBucket, opts));
    this.registerOutputs({ stateCopyBucketName: this.stateCopyBucketName });
  }

  private images(name: string, args: RecoveryCopiesArgs, { repositoryPrefix }: ImageCopyArgs): void {
    const { region, recoveryRegion, accountId } = args;
    new aws.ecr.ReplicationConfiguration(
      `${name}-images`,
      {
        region,
        replicationConfiguration: {
          rules: [
            {
              destinations: [{ region: recoveryRegion, registryId: accountId }],
              repositoryFilters: [{ filter: repositoryPrefix, filterType: "PREFIX_MATCH" }],
            },
          ],
        },
      },
      { parent: this },
    );
  }

  private state(
    name: string,
    args: RecoveryCopiesArgs,
    { bucketName, keyArn }: StateBucketArgs,
    opts: pulumi.ComponentResourceOptions,
  ): pulumi.Output<string> {
    const { recoveryRegion, accountId } = args;
    const tags = tagsOf({ ...args, component: "recovery-copies" }, args.tags);
    const kept = { parent: this, protect: opts.protect ?? true, retainOnDelete: opts.retainOnDelete ?? true };
    const copyName = stateCopyName(args);
    const copy = new aws.s3.Bucket(`${name}-state`, { bucket: copyName, region: recoveryRegion, tags }, kept);
    const place = { bucket: copy.bucket, region: recoveryRegion };
    const versioning = new aws.s3.BucketVersioning(
      `${name}-state-versioning`,
      { ...place, versioningConfiguration: { status: "Enabled" } },
      kept,
    );
    new aws.s3.BucketServerSideEncryptionConfiguration(
      `${name}-state-encryption`,
      { ...place, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
      kept,
    );
    new aws.s3.BucketPublicAccessBlock(
      `${name}-state-public-access`,
      {
        ...place,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      kept,
    );
    const copyArn = bucketArnOf(copyName, recoveryRegion);
    new aws.s3.BucketPolicy(`${name}-state-policy`, { ...place, policy: JSON.stringify(overTlsAlone(copyArn)) }, kept);
    replicateBucket(
      `${name}-state`,
      {
        source: { bucketName, bucketArn: bucketArnOf(bucketName, args.region), region: args.region, keyArn },
        destination: { bucketName: copyName, bucketArn: copyArn, region: recoveryRegion },
        accountId,
        alarmTopicArns: args.alarmTopicArns ?? [],
        tags,
      },
      { parent: this },
      [versioning],
    );
    return copy.bucket;
  }
}

/** The name of the bucket with the copy of the state. */
function stateCopyName({ application, environment, recoveryRegion, accountId }: RecoveryCopiesArgs): string {
  return `${application}-${environment}-state-${recoveryRegion}-${accountId}`;
}

function overTlsAlone(bucketArn: string): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "PlainText",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [bucketArn, `${bucketArn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  };
}

/** Everything that is wrong with the arguments. */
export function recoveryCopiesProblems(args: RecoveryCopiesArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  const { region, recoveryRegion, images, stateBucket } = args;
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", region);
  expectRegion(problems, "recoveryRegion", recoveryRegion);
  problems.expect(
    region !== recoveryRegion,
    "recoveryRegion",
    "another region than the one that serves",
    recoveryRegion,
  );
  expectAccountId(problems, "accountId", args.accountId);
  if (images !== undefined) {
    problems.expect(
      /^[a-z0-9][a-z0-9._/-]{1,255}$/.test(images.repositoryPrefix),
      "images.repositoryPrefix",
      "what the names of the repositories begin with, as in disaster-recovery",
      images.repositoryPrefix,
    );
  }
  if (stateBucket !== undefined) {
    expectBucketName(problems, "stateBucket.bucketName", stateBucket.bucketName);
    const longest = 63;
    if (stateCopyName(args).length > longest) {
      problems.add(
        "application",
        `makes the bucket name ${stateCopyName(args)}, longer than the ${longest} that S3 allows`,
      );
    }
  }
  return problems;
}
