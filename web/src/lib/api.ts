import createClient from "openapi-fetch";
import { asRefusal, refusalFrom, refusalOf } from "./refusal";
import type { components, paths } from "./schema";
import { signed } from "./session.svelte";

/** Shapes of the API by their names: `Shape<"Document">`. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** The public API, typed by its own description. Calls carry whoever is signed in: `await done(api.GET("/v1/jobs"))`. */
export const api = createClient<paths>({ baseUrl: location.origin, fetch: signed });

interface Outcome<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What a call answered. Throws a Refusal where it was refused, or the server cannot be reached. */
export async function done<Data>(call: Promise<Outcome<Data>>): Promise<NonNullable<Data>> {
  const { data, error, response } = await call.catch((thrown: unknown) => {
    throw asRefusal(thrown);
  });
  if (response.ok) return (data ?? null) as NonNullable<Data>;
  throw refusalFrom(error, response.status, Number(response.headers.get("Retry-After")) || null);
}

export interface Happened {
  name: string;
  id: string | null;
  data: any; // eslint-disable-line -- each stream says in its documentation what it holds
}

/** The events of a stream, one by one, until it ends. Throws a Refusal, also where the stream itself tells an `error`. */
export async function* events(path: string, init: RequestInit = {}): AsyncGenerator<Happened> {
  try {
    const response = await signed(path, { ...init, headers: { ...init.headers, Accept: "text/event-stream" } });
    if (!response.ok || !response.body) throw await refusalOf(response);
    for await (const event of parsed(response.body)) {
      if (event.name === "error") throw refusalFrom(event.data, event.data?.status ?? 0);
      yield event;
    }
  } catch (thrown) {
    throw asRefusal(thrown);
  }
}

async function* parsed(body: ReadableStream<Uint8Array>): AsyncGenerator<Happened> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let text = "";
  try {
    for (;;) {
      const { done: ended, value } = await reader.read();
      if (ended) return;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = oneEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function oneEvent(block: string): Happened | null {
  const fields: Record<string, string> = {};
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
  }
  if (fields.data === undefined) return null;
  return { name: fields.event ?? "message", id: fields.id ?? null, data: JSON.parse(fields.data) };
}

/** Every item of a list whose pages are few: collections, groups, datasets. */
export async function all<Item>(
  page: (cursor?: string) => Promise<{ items: Item[]; next_cursor?: string | null }>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | undefined; ; ) {
    const found = await page(cursor);
    items.push(...found.items);
    if (!found.next_cursor) return items;
    cursor = found.next_cursor;
  }
}
