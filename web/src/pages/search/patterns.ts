import type { Shape } from "../../lib/api";

export type Pattern = NonNullable<Shape<"SearchBody">["pattern"]>;

/** Ways from a question to passages, the plain one first. */
export const PATTERNS: Pattern[] = [
  "hybrid", "adaptive", "multi_query", "decomposition", "feedback", "filtered", "late_interaction", "reflective", "raptor",
  "entity_graph", "rewriting", "hyde", "step_back", "corrective", "drafting", "agentic",
  "conversational",
];
