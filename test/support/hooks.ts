import { stopPostgres } from "./postgres";

/** What the whole test run shares is ended after the last test. */
export const mochaHooks = { afterAll: stopPostgres };
