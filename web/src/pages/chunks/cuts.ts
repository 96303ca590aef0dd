import type { Shape } from "../../lib/api";

export type Cuts = Shape<"Cuts">;
export type Cut = Cuts["cuts"][number];
export type Strategy = "recursive" | "structure" | "parent_child" | "sentence" | "paragraph" | "semantic" | "cluster_semantic" | "sliding_window" | "fixed";
export const STRATEGIES: Strategy[] = [
  "recursive", "structure", "parent_child", "sentence", "paragraph", "semantic", "cluster_semantic", "sliding_window", "fixed",
];

/** One way of cutting, as it is chosen. */
export interface Choice {
  strategy: Strategy;
  size: number;
}

/** A stretch of the text that the same chunks hold: the last of these, how many they are, and whether it begins here. */
export interface Piece {
  text: string;
  chunk: number | null;
  holders: number;
  begins: boolean;
}

/** The chunks that hold no other: what is searched first, and what boundaries are drawn of. */
export function innermost(cut: Cut): { start: number; end: number; place: number }[] {
  return cut.chunks
    .map((chunk, place) => ({ start: chunk.start, end: chunk.end, place, parent: chunk.parent }))
    .filter((chunk) => chunk.parent === null || chunk.parent !== chunk.place);
}

/** Cut the text wherever a chunk begins or ends. Offsets are code points, which `letters` has one by one. */
export function pieces(letters: string[], offset: number, cut: Cut): Piece[] {
  const chunks = innermost(cut);
  const edges = new Set([0, letters.length]);
  for (const chunk of chunks) edges.add(chunk.start - offset).add(chunk.end - offset);
  const sorted = [...edges].filter((edge) => edge >= 0 && edge <= letters.length).sort((one, other) => one - other);
  const found: Piece[] = [];
  let first = 0; // chunks before it end before the piece
  for (let at = 0; at + 1 < sorted.length; at++) {
    const start = sorted[at]! + offset, end = sorted[at + 1]! + offset;
    while (first < chunks.length && chunks[first]!.end <= start) first++;
    const holding = chunks.slice(first, first + 8).filter((chunk) => chunk.start <= start && chunk.end >= end);
    const last = holding.at(-1);
    found.push({
      text: letters.slice(start - offset, end - offset).join(""), chunk: last?.place ?? null, holders: holding.length,
      begins: last !== undefined && last.start === start,
    });
  }
  return found;
}

/** How many chunks there are of each size, in ten equal steps up to the largest allowed. */
export function histogram(cut: Cut, largest: number): { upTo: number; chunks: number }[] {
  const step = Math.max(1, Math.ceil(largest / 10));
  const counts = Array.from({ length: 10 }, (_, at) => ({ upTo: step * (at + 1), chunks: 0 }));
  for (const { place } of innermost(cut)) {
    const at = Math.min(9, Math.floor(Math.max(0, (cut.chunks[place]?.tokens ?? 1) - 1) / step));
    counts[at]!.chunks++;
  }
  return counts;
}

/** The middle one of the sizes. */
export function median(cut: Cut): number {
  const sizes = innermost(cut).map(({ place }) => cut.chunks[place]?.tokens ?? 0).sort((one, other) => one - other);
  return sizes[Math.floor(sizes.length / 2)] ?? 0;
}
