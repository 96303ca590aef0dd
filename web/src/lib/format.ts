import { moment as at } from "./wording";

/** Figures and moments as people read them. */
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const moment = (iso: string | null | undefined): string => (iso ? at(iso) : "–");
export const clock = (iso: string): string => CLOCK.format(new Date(iso));
export const whole = (value: number): string => Math.round(value).toLocaleString("en");
export const figure = (value: number, digits = 3): string => value.toLocaleString("en", { maximumFractionDigits: digits });
export const percent = (share: number): string => `${(share * 100).toLocaleString("en", { maximumFractionDigits: 1 })} %`;

/** Milliseconds, or seconds where they are many. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${figure(ms, ms < 10 ? 1 : 0)} ms`;
  return ms < 120_000 ? `${figure(ms / 1000, 1)} s` : `${figure(ms / 60_000, 1)} min`;
}
