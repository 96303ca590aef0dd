import type { Shape } from "../../lib/api";

/** What reports hold, which the API describes as free JSON. */
export interface Figure { mean: number; low: number; high: number; count: number }
export interface MetricReport extends Figure {
  name: string; title: string; meaning: string; unit: string; higher_is_better: boolean; quality: boolean;
  histogram: { edges: number[]; counts: number[] };
}
export interface WorstQuestion {
  position: number; question_id: string; worth: number; scores: Record<string, number>; detail: Record<string, unknown>;
}
export interface RunReport { run: Shape<"Run">; metrics: MetricReport[]; worst: WorstQuestion[] }

export interface Trial {
  number: number; chunking: Record<string, unknown>; dense_weight: number; k: number; documents: number; chunks: number;
  target: Figure; context_tokens: number; latency_ms: number; build_s: number; whole: boolean; pareto: boolean;
}
export interface TuningReport {
  target: string; documents: number; time_is_up: boolean; change: boolean; verdict: string; present: number; best: number;
  recommended: number; present_k?: number; best_k?: number; recommended_k?: number; trials: Trial[];
}
export const OPEN = ["waiting", "running"];
export const nameOf = (run: Shape<"Run">): string => run.label ?? run.run_id.slice(-6);
export const configuration = (trial: Trial): string =>
  `${String(trial.chunking.strategy)} ${String(trial.chunking.size_tokens)}, ${Math.round(trial.dense_weight * 100)} %`;
