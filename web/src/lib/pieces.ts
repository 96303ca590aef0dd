import { signed } from "./session.svelte";

/** A larger file is sent in pieces of this size (tus 1.0): what has arrived is not sent again, not even after a reload. */
export const PIECE_BYTES = 8 * 2 ** 20;
const KIND = "application/offset+octet-stream";

export interface Piecewise {
  file: File;
  path: string;
  collection: string;
}

export interface Answered {
  status: number; // 0: it could not be sent
  body: unknown;
  retryAfterS: number;
}

type Put = (address: string, body: Blob, headers: Record<string, string>, sent: (bytes: number) => void) => Promise<Answered>;

/**
 * Send a file from where it stands, by `put` for each piece; `arrived` hears how many bytes are there, `kept` that a piece is.
 * Returns the answer that an upload in one would get, or the first that is no success.
 */
export async function sendInPieces(upload: Piecewise, put: Put, arrived: (bytes: number) => void, kept: () => void): Promise<Answered> {
  let answered = await begin(upload);
  while (answered.status >= 200 && answered.status < 300) {
    const state = answered.body as { upload_id: string; received_bytes: number; taken: unknown };
    if (state.taken) return { ...answered, status: 202, body: { items: [state.taken] } };
    const place = `/v1/uploads/${state.upload_id}`;
    const at = state.received_bytes;
    const headers = { "Upload-Offset": String(at), "Content-Type": KIND };
    const sent = await put(place, upload.file.slice(at, at + PIECE_BYTES), headers, (bytes) => arrived(at + bytes));
    if (sent.status !== 204 && sent.status !== 409) return sent; // 409: an earlier try of this piece has arrived after all
    if (sent.status === 204) kept();
    answered = await told(signed(place));
  }
  return answered;
}

function begin({ file, path, collection }: Piecewise): Promise<Answered> {
  const words = { filename: file.name, external_id: path, fingerprint: `${file.size}-${file.lastModified}` };
  const metadata = Object.entries(words).map(([name, value]) => `${name} ${base64(value)}`).join(",");
  const headers = { "Tus-Resumable": "1.0.0", "Upload-Length": String(file.size), "Upload-Metadata": metadata };
  return told(signed(`/v1/collections/${encodeURIComponent(collection)}/uploads`, { method: "POST", headers }));
}

async function told(asked: Promise<Response>): Promise<Answered> {
  try {
    const response = await asked;
    const body: unknown = await response.json().catch(() => null);
    return { status: response.status, body, retryAfterS: Number(response.headers.get("Retry-After")) || 2 };
  } catch {
    return { status: 0, body: null, retryAfterS: 2 };
  }
}

function base64(text: string): string {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
