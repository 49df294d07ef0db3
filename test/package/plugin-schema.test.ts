import { ComponentProvider } from "@pulumi/pulumi/provider/experimental/provider";
import * as components from "../../components";
import { matchesSnapshot } from "../support/snapshot";

describe("the plugin's schema", function () {
  this.timeout(120_000);

  it("is what other languages were promised", async () => {
    const classes = Object.values(components).filter((value) => typeof value === "function");
    const provider = new ComponentProvider({
      components: classes,
      dirname: process.cwd(),
      name: "disaster-recovery",
    });
    const schema = JSON.parse(await provider.getSchema()) as object;
    matchesSnapshot("test/package/snapshots/schema.txt", `${JSON.stringify(schema, undefined, 1)}\n`);
  });
});
