import { en } from "./en";

/** All words that people read. Another language is another file with the same shape. */
export type Texts = typeof en;
export const t: Texts = en;
