import { api, done, events } from "./api";
import { PIECE_BYTES, sendInPieces, type Answered } from "./pieces";
import { asRefusal, refusalFrom } from "./refusal";
import { credentialHeaders, session, signed, stayOneself } from "./session.svelte";
import { t } from "../texts";

export type Stage = "waiting" | "sending" | "received" | "parsing" | "embedding" | "indexed" | "unchanged" | "failed" | "refused";

/** A file on its way to being answered from. `share`: how much of the present stage is done, 0 to 1. */
export interface Upload {
  id: number;
  path: string;
  file: File;
  collection: string;
  stage: Stage;
  share: number;
  reason: string;
  documentId: string | null;
  key: string; // for Idempotency-Key: however often it is sent, it arrives once
}

const AT_ONCE = 3;
const WATCHED = 3; // stages are followed of so many at once; how each ends is told by one stream for all
const PATIENCE_MS = 2000;
const TRIES = 5; // without anything arriving
const WORTH_WAITING_S = 60; // a limit that holds for longer is told at once
const FINAL: Stage[] = ["indexed", "unchanged", "failed", "refused"];

/** The files of this tab, newest last. They go on while other pages are looked at. */
export const uploads = $state<Upload[]>([]);
export const finished = $state({ count: 0 });
let last = 0;
let watching = false;
const followed = new Set<string>();

export const isFinal = (upload: Upload): boolean => FINAL.includes(upload.stage);

/** Send files into a collection. */
export function add(files: { file: File; path: string }[], collection: string): void {
  for (const { file, path } of files) {
    uploads.push({
      id: ++last, path, file, collection, stage: "waiting", share: 0, reason: "", documentId: null, key: newKey(),
    });
  }
  pump();
}

function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
}

/** Once more: send again what did not arrive, index again what arrived and failed. */
export async function retry(upload: Upload): Promise<void> {
  upload.reason = "";
  if (upload.stage === "failed" && upload.documentId) {
    try {
      await done(api.POST("/v1/documents/{document_id}:retry", { params: { path: { document_id: upload.documentId } } }));
      upload.stage = "received";
      watch();
    } catch (thrown) {
      upload.reason = asRefusal(thrown).detail;
    }
  } else {
    upload.stage = "waiting";
    pump();
  }
}

/** Take out of the list what has come to its end well. */
export function clear(): void {
  const left = uploads.filter((each) => each.stage !== "indexed" && each.stage !== "unchanged");
  uploads.splice(0, uploads.length, ...left);
}

/** Who closes or reloads the tab is asked first, while files of it are still to be sent. */
addEventListener("beforeunload", (event) => {
  if (session.state !== "unknown" && uploads.some(({ stage }) => stage === "waiting" || stage === "sending")) event.preventDefault();
});

function pump(): void {
  const sending = uploads.filter((each) => each.stage === "sending").length;
  for (const next of uploads.filter((each) => each.stage === "waiting").slice(0, Math.max(0, AT_ONCE - sending))) {
    next.stage = "sending";
    void send(next, 0).finally(pump);
  }
}

async function send(upload: Upload, tries: number): Promise<void> {
  await stayOneself().catch(() => undefined); // where that cannot be found out, the server refuses what is not ours
  const answered = await transfer(upload, () => (tries = 0));
  if (answered.status === 401 && tries === 0) {
    await signed("/v1/collections?limit=1").catch(() => undefined); // renews what can be renewed
    return send(upload, 1);
  }
  const later = (answered.status === 429 || answered.status === 503) && answered.retryAfterS <= WORTH_WAITING_S;
  if ((later || answered.status === 0) && tries < TRIES) {
    await (later ? pause(answered.retryAfterS * 1000) : connection(PATIENCE_MS * 2 ** tries));
    return send(upload, tries + 1);
  }
  if (answered.status >= 200 && answered.status < 300) took(upload, answered.body);
  else {
    const reason = answered.status === 0 ? t.uploads.broken : refusalFrom(answered.body, answered.status).detail;
    Object.assign(upload, { stage: "refused", reason });
  }
}

const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait a while, and for the network where the machine has none: a lid that was closed costs no try. */
async function connection(ms: number): Promise<void> {
  await pause(ms);
  if (!navigator.onLine) await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}

function took(upload: Upload, body: any): void {
  const item = body.items[0];
  const known: Stage = item.state === "indexed" ? "unchanged" : item.state; // the same was sent before, and may be on its way still
  Object.assign(upload, { documentId: item.document_id, stage: item.job_id ? "received" : known, share: 0 });
  if (isFinal(upload)) finished.count += 1;
  else watch();
}

/** Send a file: a small one at once, a larger one in pieces. `kept`: something has arrived that stays. */
function transfer(upload: Upload, kept: () => void): Promise<Answered> {
  const { file, path, collection } = upload;
  const arrived = (bytes: number) => (upload.share = file.size ? bytes / file.size : 0);
  if (file.size > PIECE_BYTES) return sendInPieces(upload, (...piece) => put("PATCH", ...piece), arrived, kept);
  const query = new URLSearchParams({ external_id: path, filename: file.name });
  const address = `/v1/collections/${encodeURIComponent(collection)}/documents?${query}`;
  return put("POST", address, file, { "Content-Type": "application/octet-stream", "Idempotency-Key": upload.key }, arrived);
}

/** Send bytes; unlike `fetch`, this can tell how many have gone. */
function put(method: string, address: string, bytes: Blob, headers: Record<string, string>, sent: (bytes: number) => void): Promise<Answered> {
  const request = new XMLHttpRequest();
  request.open(method, address);
  for (const [name, value] of Object.entries({ ...credentialHeaders(), ...headers })) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => sent(event.loaded);
  return new Promise((resolve) => {
    request.onloadend = () => {
      let body: unknown = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // an answer without words; its status says enough
      }
      resolve({ status: request.status, body, retryAfterS: Number(request.getResponseHeader("Retry-After")) || 2 });
    };
    request.send(bytes);
  });
}

const pending = (): Upload[] => uploads.filter((each) => each.documentId && !isFinal(each));

/** Follow what becomes of the files: how they end by one stream, the stages of the first few by streams of their own. */
function watch(): void {
  followStages();
  if (!watching) {
    watching = true;
    void followEnds().finally(() => (watching = false));
  }
}

async function followEnds(): Promise<void> {
  while (pending().length) {
    const control = new AbortController();
    const looking = setInterval(() => (pending().length ? void lookAtSome() : control.abort()), PATIENCE_MS);
    try {
      for await (const { data } of events("/v1/events/stream?type=document.indexed&type=document.failed", { signal: control.signal })) {
        const upload = pending().find((each) => each.documentId === data.subject);
        if (upload) await look(upload);
        if (!pending().length) return;
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    } finally {
      clearInterval(looking);
      control.abort();
    }
  }
}

/** What ended before the stream was open is found by looking. */
async function lookAtSome(): Promise<void> {
  for (const upload of pending().slice(0, 5)) await look(upload).catch(() => undefined);
}

async function look(upload: Upload): Promise<void> {
  const path = { document_id: upload.documentId as string };
  const document = await done(api.GET("/v1/documents/{document_id}", { params: { path } }));
  see(upload, document.state as Stage, document.reason);
}

function see(upload: Upload, stage: Stage, reason: string | null): void {
  if (isFinal(upload)) return;
  if (upload.stage !== stage) upload.share = 0;
  Object.assign(upload, { stage, reason: reason ?? "" });
  if (isFinal(upload)) {
    finished.count += 1;
    followStages();
  }
}

function followStages(): void {
  for (const upload of pending()) {
    const id = upload.documentId as string;
    if (followed.size >= WATCHED) return;
    if (followed.has(id)) continue;
    followed.add(id);
    void followOne(upload, id).catch(() => undefined).finally(() => followed.delete(id));
  }
}

async function followOne(upload: Upload, id: string): Promise<void> {
  for await (const { name, data } of events(`/v1/documents/${id}/events`)) {
    if (name === "state") see(upload, data.state, data.reason);
    else if (name === "progress") Object.assign(upload, { stage: "embedding", share: data.embedded / data.chunks });
    if (isFinal(upload)) return;
  }
}
