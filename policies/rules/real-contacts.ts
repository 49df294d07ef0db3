import { Framework } from "../frameworks";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

// Reserved for examples (RFC 2606, RFC 6761): nobody reads mail there.
const EXAMPLE = /(^|[@./])example\.(com|net|org|edu)\b|\.(example|test|invalid|localhost)($|[:/])/i;

/** The guide's contacts are examples, and examples are copied. */
export const realContacts = resourceRule<{ readonly endpoint?: string }>({
  name: "real-contacts",
  description: "Whoever is told of an alarm exists.",
  severity: "high",
  framework: Framework.Alarms,
  remediationSteps: "Replace the endpoint by an address that somebody reads at night.",
  url: "https://www.rfc-editor.org/rfc/rfc2606",
  types: ResourceTypes.TopicSubscription,
  checks: (props) => [
    () =>
      EXAMPLE.test(props.endpoint ?? "")
        ? `endpoint is ${props.endpoint}, which is reserved for examples: nobody is told`
        : undefined,
  ],
});
