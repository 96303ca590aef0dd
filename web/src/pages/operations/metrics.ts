/** Figures of `/metrics`, in Prometheus' text form, as far as this page shows them. */
export interface Sample { name: string; labels: Record<string, string>; value: number }

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export function read(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const found = LINE.exec(line);
    if (!found || line.startsWith("#")) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map((each) => [each[1]!, each[2]!]));
    return [{ name: found[1]!, labels, value: Number(found[3]) }];
  });
}

export const sum = (samples: Sample[], name: string, labels: Record<string, string> = {}): number =>
  samples
    .filter((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value))
    .reduce((total, each) => total + each.value, 0);

/** The duration, in ms, that a share of the requests did not exceed: the upper end of the histogram's bucket. */
export function percentile(samples: Sample[], name: string, share: number): number | null {
  const buckets = new Map<number, number>();
  for (const each of samples.filter((sample) => sample.name === `${name}_bucket`)) {
    const end = each.labels.le === "+Inf" ? Infinity : Number(each.labels.le);
    buckets.set(end, (buckets.get(end) ?? 0) + each.value);
  }
  const ends = [...buckets.keys()].sort((one, other) => one - other);
  const total = buckets.get(Infinity) ?? 0;
  const found = ends.find((end) => (buckets.get(end) ?? 0) >= share * total);
  return total && found !== undefined && Number.isFinite(found) ? found * 1000 : null;
}
