import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import { StorePrefix } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";

/** Where runbooks are kept. */
export interface RunbookPlace {
  readonly bucketName: pulumi.Input<string>;
  readonly region: string;
  readonly tags: Record<string, string>;
}

// A key may hold more; what a person types at night should not.
const namePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/**
 * Puts runbooks into the store, under `runbooks/REGION/`, from where they are copied with everything else: the wiki of a
 * region that is gone is gone.
 *
 * @param runbooks texts by file name
 */
export function runbookObjects(
  name: string,
  { bucketName, region, tags }: RunbookPlace,
  runbooks: Readonly<Record<string, pulumi.Input<string>>>,
  opts: pulumi.CustomResourceOptions,
): void {
  for (const [file, content] of Object.entries(runbooks)) {
    new aws.s3.BucketObjectv2(
      `${name}-runbook-${file}`,
      {
        bucket: bucketName,
        region,
        key: `${StorePrefix.Runbooks}${region}/${file}`,
        contentType: file.endsWith(".md") ? "text/markdown; charset=utf-8" : "text/plain; charset=utf-8",
        content,
        tags,
      },
      opts,
    );
  }
}

/** Notes the names that are no file names. */
export function expectRunbooks(
  problems: ArgumentProblems,
  runbooks: Readonly<Record<string, pulumi.Input<string>>> | undefined,
): void {
  for (const file of Object.keys(runbooks ?? {})) {
    problems.expect(namePattern.test(file), `runbooks.${file}`, "a file name, as in database-recovery.md", file);
  }
}
