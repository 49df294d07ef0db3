import { ExitCode, jobConfigJsonSchema } from "../../../recovery";
import { type Command } from "../command";

/** `dr schema` */
export const schema: Command = {
  name: "schema",
  usage: "",
  summary: "JSON Schema of the job configuration",
  details: "For editors and CI: `dr schema > dr.schema.json`.",
  options: {},
  optionHelp: {},
  maxWords: 0,
  isProof: false,
  run() {
    const document = jobConfigJsonSchema();
    return Promise.resolve({ exitCode: ExitCode.Pass, json: document, text: JSON.stringify(document, undefined, 2) });
  },
};
