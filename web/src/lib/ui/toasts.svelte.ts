import { t } from "../../texts";
import { asRefusal } from "../refusal";

export interface Toast {
  id: number;
  text: string;
  kind: "good" | "bad";
}

export const toasts = $state<Toast[]>([]);
let last = 0;

/** Tell what has happened; it goes by itself after a while, what went wrong later. */
export function tell(text: string, kind: Toast["kind"] = "good"): void {
  const id = ++last;
  toasts.push({ id, text, kind });
  setTimeout(() => dismiss(id), kind === "good" ? 5000 : 12000);
}

/** Tell why something was not done. */
export function tellFailure(thrown: unknown): void {
  const refusal = asRefusal(thrown);
  if (refusal.code !== "aborted") tell(refusal.detail, "bad");
}

/** Tell that signing out came to nothing: who walks away now leaves everything to the next. */
export function tellStillIn(thrown: unknown): void {
  tell(t.failures.stillIn(asRefusal(thrown).detail), "bad");
}

export function dismiss(id: number): void {
  const at = toasts.findIndex((each) => each.id === id);
  if (at >= 0) toasts.splice(at, 1);
}
