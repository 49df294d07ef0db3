import { endpointDomainOf } from "./aws-names";

/** What replication does with the key of the bucket that it copies to. */
export const replicaKeyActions = ["kms:Encrypt", "kms:GenerateDataKey"];

/** Only S3 uses the key for a role, and only for objects of this bucket, with or without a bucket key. */
export function throughS3(region: string, bucketArn: string): object {
  return {
    StringEquals: { "kms:ViaService": `s3.${region}.${endpointDomainOf(region)}` },
    StringLike: { "kms:EncryptionContext:aws:s3:arn": [bucketArn, `${bucketArn}/*`] },
  };
}
