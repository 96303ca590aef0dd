import { getDocument, GlobalWorkerOptions, PDFDataRangeTransport, TextLayer, type PDFDocumentProxy } from "pdfjs-dist";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";
import { refusalOf } from "./refusal";
import { signed } from "./session.svelte";

GlobalWorkerOptions.workerSrc = workerUrl;

export interface Opened {
  pages: number;
  /** Draw page `number` into `into`, `width` wide, and mark `quote` on it. Says which words were marked; "" for none. */
  draw(number: number, into: HTMLElement, width: number, quote: string): Promise<string>;
  close(): Promise<void>;
}

const PART_BYTES = 2 ** 18;

/**
 * Open a PDF of the server. It fetches the parts that it needs, and no more of a large file than the pages that are looked at;
 * `onfail` hears of a part that did not come. Throws a Refusal where already the first does not.
 */
export async function openPdf(url: string, onfail: (thrown: unknown) => void): Promise<Opened> {
  const control = new AbortController();
  const fetched = (begin: number, end: number) => part(url, begin, end, control.signal);
  const first = await fetched(0, PART_BYTES);
  const range = new Parts(first.size, first.bytes, fetched, (thrown) => control.signal.aborted || onfail(thrown));
  const loading = getDocument({ range, rangeChunkSize: PART_BYTES, disableAutoFetch: true, disableStream: true });
  const pdf = await loading.promise;
  const close = () => (control.abort(), loading.destroy());
  return { pages: pdf.numPages, draw: (...wanted) => draw(pdf, ...wanted), close };
}

type Fetched = (begin: number, end: number) => Promise<{ bytes: Uint8Array; size: number }>;

/** Hands the parts on to pdf.js, which cannot be told that one does not come. */
class Parts extends PDFDataRangeTransport {
  constructor(size: number, first: Uint8Array, private readonly fetched: Fetched, private readonly onfail: (thrown: unknown) => void) {
    super(size, first);
  }

  override requestDataRange(begin: number, end: number): void {
    void this.fetched(begin, end).then(({ bytes }) => this.onDataRange(begin, bytes), this.onfail);
  }
}

/** The bytes from `begin` to before `end`, and of how many they are. */
async function part(url: string, begin: number, end: number, signal: AbortSignal): Promise<{ bytes: Uint8Array; size: number }> {
  const response = await signed(url, { headers: { Range: `bytes=${begin}-${end - 1}` }, signal });
  if (!response.ok) throw await refusalOf(response);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { bytes, size: Number(response.headers.get("Content-Range")?.split("/")[1]) || bytes.length };
}

async function draw(pdf: PDFDocumentProxy, number: number, into: HTMLElement, width: number, quote: string): Promise<string> {
  const page = await pdf.getPage(Math.min(Math.max(1, number), pdf.numPages));
  const scale = width / page.getViewport({ scale: 1 }).width;
  const viewport = page.getViewport({ scale });
  const sharp = Math.min(devicePixelRatio, 2);
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(viewport.width * sharp);
  canvas.height = Math.floor(viewport.height * sharp);
  canvas.setAttribute("aria-hidden", "true"); // the words lie above it as text
  const words = document.createElement("div");
  words.className = "textLayer";
  into.replaceChildren(canvas, words);
  into.style.setProperty("--scale-factor", String(scale));
  into.style.setProperty("--total-scale-factor", String(scale));
  for (const each of [into, canvas]) {
    each.style.width = `${viewport.width}px`;
    each.style.height = `${viewport.height}px`;
  }
  const transform = [sharp, 0, 0, sharp, 0, 0];
  await page.render({ canvas, viewport, transform }).promise;
  await new TextLayer({ textContentSource: await page.getTextContent(), container: words, viewport }).render();
  return quote ? mark(words, quote) : "";
}

/** Lay boxes over the words of `quote`. Spaces and hyphens are not compared: lines break elsewhere in the text. */
function mark(layer: HTMLElement, quote: string): string {
  const letters: { node: Text; at: number }[] = [];
  let text = "";
  const walker = document.createTreeWalker(layer, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode() as Text | null; node; node = walker.nextNode() as Text | null) {
    for (let at = 0; at < node.data.length; at++) {
      const plain = squeezed(node.data[at] ?? "");
      for (const letter of plain) (text += letter), letters.push({ node, at });
    }
  }
  const wanted = squeezed(quote);
  const found = longest(text, wanted);
  const first = letters[found.at];
  const last = letters[found.at + found.length - 1];
  if (!first || !last || found.length < Math.min(8, wanted.length)) return "";
  const range = document.createRange();
  range.setStart(first.node, first.at);
  range.setEnd(last.node, last.at + 1);
  const origin = layer.getBoundingClientRect();
  for (const box of apart([...range.getClientRects()])) layer.parentElement?.append(boxed(box, origin));
  return range.toString();
}

/** Boxes that do not lie over each other: a browser tells an element and the text in it. */
function apart(boxes: DOMRect[]): DOMRect[] {
  const inside = (one: DOMRect, other: DOMRect) =>
    one.left >= other.left - 2 && one.right <= other.right + 2 && one.top >= other.top - 4 && one.bottom <= other.bottom + 4;
  return boxes.filter((box) => box.width >= 1).filter((box, at, boxes) => !boxes.some((other, place) => place !== at && inside(box, other) && (!inside(other, box) || place < at)));
}

function squeezed(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/[\s\p{Pd}\u00ad]/gu, "");
}

/** Where the quote stands; where it goes on over the page's end, the longest beginning or end of it. */
function longest(text: string, wanted: string): { at: number; length: number } {
  for (let length = wanted.length; length >= 8; length = Math.floor(length * 0.8)) {
    const begin = text.indexOf(wanted.slice(0, length));
    if (begin >= 0) return { at: begin, length };
    const end = text.indexOf(wanted.slice(-length));
    if (end >= 0) return { at: end, length };
  }
  return { at: text.indexOf(wanted), length: wanted.length };
}

function boxed(box: DOMRect, origin: DOMRect): HTMLElement {
  const element = document.createElement("div");
  element.className = "hit";
  element.style.left = `${box.left - origin.left}px`;
  element.style.top = `${box.top - origin.top}px`;
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
  return element;
}
