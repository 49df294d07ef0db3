import { type ArgumentProblems } from "./argument-problems";

/** The partition that a region belongs to: the second field of every ARN in it. */
export function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  if (region.startsWith("us-gov-")) return "aws-us-gov";
  return "aws";
}

/** The domain of the region's service endpoints. */
export function endpointDomainOf(region: string): string {
  return partitionOf(region) === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
}

export function expectRegion(problems: ArgumentProblems, propertyPath: string, region: string): void {
  problems.expect(
    /^[a-z]{2}(-[a-z]+)+-\d$/.test(region),
    propertyPath,
    "the code of an AWS region, as in eu-central-1",
    region,
  );
}

export function expectAccountId(problems: ArgumentProblems, propertyPath: string, accountId: string): void {
  problems.expect(/^\d{12}$/.test(accountId), propertyPath, "the twelve digits of an AWS account", accountId);
}

export function expectBucketName(problems: ArgumentProblems, propertyPath: string, bucketName: string): void {
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucketName);
  problems.expect(
    isName,
    propertyPath,
    "a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes",
    bucketName,
  );
}

/** The region of the ECR registry that an image is in; undefined of every other registry. */
export function registryRegionOf(image: string): string | undefined {
  return /^\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\//.exec(image)?.[1];
}
