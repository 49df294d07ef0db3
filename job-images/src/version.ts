import { version } from "../package.json";

/** Version of the runner; in every manifest and every evidence record that it writes. */
export const runnerVersion: string = version;
