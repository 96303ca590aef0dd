import { api, done, events, type Shape } from "./api";
import { asRefusal, Refusal } from "./refusal";
import { t } from "../texts";

export type Statement = Shape<"AnswerStatement">;
export type Citation = Shape<"QuotedPlace">;
export type Nearest = Shape<"FoundPassage">;

/** One question and what has come of its answer. `failure`: it broke off, or was refused; what came before stays. */
export interface Turn {
  number: number;
  question: string;
  collections: string[];
  state: "looking" | "writing" | "done" | "failed";
  passages: number;
  statements: Statement[];
  status: "answered" | "not_in_documents" | null;
  nearest: Nearest[];
  notes: string[];
  kept: string | null; // why it is not kept with the conversation
  understood: string | null; // the question after those before it, where that changes it
  withheld: number;
  contradictions: Shape<"Contradicted">[];
  followUps: string[];
  answerId: string | null;
  thumb: "up" | "down" | null;
  failure: Refusal | null;
}

interface Conversation {
  turns: Turn[];
  threadId: string | null;
}

/** The conversation of this tab. It outlives turning to another page and back. */
export const conversation = $state<Conversation>({ turns: [], threadId: null });
let running: AbortController | null = null;

/** Ask, and watch the answer come to be. Returns the turn as it ended. */
export async function ask(question: string, collections: string[]): Promise<Turn> {
  conversation.turns.push(fresh((conversation.turns.at(-1)?.number ?? 0) + 1, question, collections));
  const turn = conversation.turns[conversation.turns.length - 1] as Turn;
  await answer(turn);
  return turn;
}

/** Take a question back that nobody has heard. */
export function takeBack({ number }: Turn): void {
  conversation.turns = conversation.turns.filter((each) => each.number !== number);
}

function fresh(number: number, question: string, collections: string[]): Turn {
  return {
    number, question, collections, state: "looking", passages: 0, statements: [], status: null, nearest: [], notes: [], kept: null,
    understood: null, withheld: 0, contradictions: [], followUps: [], answerId: null, thumb: null, failure: null,
  };
}

/** Ask the same once more, in its place. */
export async function askAgain(turn: Turn): Promise<void> {
  Object.assign(turn, { state: "looking", statements: [], status: null, failure: null });
  await answer(turn);
}

export function stop(): void {
  running?.abort();
}

async function answer(turn: Turn): Promise<void> {
  stop();
  const control = new AbortController();
  running = control;
  const { question, collections } = turn;
  try {
    const body = JSON.stringify({ question, ...(await context(turn)), ...(collections.length ? { collections } : {}) });
    const headers = { "Content-Type": "application/json" };
    for await (const { name, data } of events("/v1/answers", { method: "POST", headers, body, signal: control.signal })) {
      if (name === "passages") Object.assign(turn, { passages: data.passages.length, state: "writing" });
      else if (name === "statement") turn.statements.push(data as Statement);
      else if (name === "done") finish(turn, data as Shape<"AnswerBody">);
    }
    if (turn.state !== "done") throw new Refusal(t.failures.cut, "cut", 0);
  } catch (thrown) {
    const refusal = asRefusal(thrown);
    if (refusal.status === ABSENT && (await isGone(conversation.threadId))) {
      Object.assign(conversation, { threadId: null });
      turn.kept = t.threads.begunAnew;
      return answer(turn);
    }
    const cut = refusal.code === "unreachable" && turn.state === "writing";
    Object.assign(turn, { state: "failed", failure: cut ? new Refusal(t.failures.cut, "cut", 0) : refusal });
  }
}

const ABSENT = 404;

/** Whether the conversation was deleted meanwhile, in another tab or since its time was over. */
async function isGone(thread_id: string | null): Promise<boolean> {
  if (!thread_id) return false;
  const asked = done(api.GET("/v1/threads/{thread_id}", { params: { path: { thread_id } } }));
  return asked.then(() => false, (thrown: unknown) => asRefusal(thrown).status === ABSENT);
}

const MOST_THREADS = 409; // the status that says so
const HISTORY = 10;

/** What a question is understood with: its thread, begun where there is none; the questions before it, where none can be begun. */
async function context(turn: Turn): Promise<{ thread_id: string } | { history: string[] }> {
  try {
    conversation.threadId ??= (await done(api.POST("/v1/threads", { body: {} }))).thread_id;
    return { thread_id: conversation.threadId };
  } catch (thrown) {
    if (asRefusal(thrown).status !== MOST_THREADS) throw thrown;
    turn.kept = asRefusal(thrown).detail;
    return { history: conversation.turns.filter((each) => each.number < turn.number).map((each) => each.question).slice(-HISTORY) };
  }
}

function finish(turn: Turn, made: Shape<"AnswerBody">): void {
  const { statements, status, nearest, contradictions } = made;
  const notes = [...made.notes, ...(turn.kept ? [turn.kept] : [])];
  const more = { understood: made.standalone, answerId: made.answer_id, followUps: made.follow_ups };
  Object.assign(turn, { statements, status, nearest, notes, contradictions, ...more, state: "done" });
}

/** Go on with a conversation of before, as far as it may be shown today. Throws a Refusal; one that is gone is left. */
export async function goOn(thread_id: string): Promise<void> {
  stop();
  Object.assign(conversation, { turns: [], threadId: thread_id });
  try {
    const found = await done(api.GET("/v1/threads/{thread_id}", { params: { path: { thread_id } } }));
    if (conversation.threadId === thread_id) conversation.turns = found.turns.map(shownAgain);
  } catch (thrown) {
    if (asRefusal(thrown).status !== 404) throw thrown;
    if (conversation.threadId === thread_id) conversation.threadId = null;
    throw new Refusal(t.threads.gone, "not-found", 404);
  }
}

function shownAgain({ turn, question, standalone, status, statements, withheld, notes }: Shape<"StoredTurn">): Turn {
  return { ...fresh(turn, question, []), state: "done", understood: standalone, status, statements, withheld, notes };
}

/** Begin anew; what was said stays among the conversations. */
export function beginAnew(): void {
  stop();
  Object.assign(conversation, { turns: [], threadId: null });
}

/** Say what one thinks of an answer. Throws a Refusal. */
export async function judge(turn: Turn, thumb: "up" | "down", correction: string, comment: string): Promise<void> {
  if (!turn.answerId) return;
  const body = { thumb, correction: correction || null, comment: comment || null };
  await done(api.POST("/v1/answers/{answer_id}/feedback", { params: { path: { answer_id: turn.answerId } }, body }));
  turn.thumb = thumb;
}

/** The citations of a turn, each place once, in the order in which they are met; their numbers are their places here. */
export function sourcesOf(turn: Turn): Citation[] {
  const found = new Map<string, Citation>();
  for (const each of turn.statements.flatMap((statement) => statement.citations)) {
    found.has(placeOf(each)) || found.set(placeOf(each), each);
  }
  return [...found.values()];
}

/** Where a quote stands, for a person: its document, page, and cells of a sheet. */
export function whereOf({ title, page, cells }: { title: string; page?: number | null; cells?: string | null }): string {
  return [title, page ? t.ask.page(page) : "", cells ?? ""].filter(Boolean).join(", ");
}

export function placeOf(each: Citation): string {
  return `${each.document_id}/${each.version}/${each.start}-${each.end}`;
}

/** An answer with its sources, to be pasted elsewhere. */
export function asText(turn: Turn): string {
  const sources = sourcesOf(turn);
  const numbers = (statement: Statement) =>
    statement.citations.map((each) => `[${sources.findIndex((other) => placeOf(other) === placeOf(each)) + 1}]`).join("");
  const said = turn.statements.filter((each) => each.answers).map((each) => `${each.text} ${numbers(each)}`);
  const listed = sources.map((each, at) => `[${at + 1}] ${whereOf(each)}: “${each.quote}”`);
  return [turn.question, "", ...said, "", ...listed].join("\n");
}
