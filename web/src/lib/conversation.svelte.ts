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
  withheld: number;
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

/** Ask, and watch the answer come to be. */
export async function ask(question: string, collections: string[]): Promise<void> {
  const number = (conversation.turns.at(-1)?.number ?? 0) + 1;
  conversation.turns.push({
    number, question, collections, state: "looking", passages: 0, statements: [], status: null, nearest: [], notes: [],
    withheld: 0, answerId: null, thumb: null, failure: null,
  });
  await answer(conversation.turns[conversation.turns.length - 1] as Turn);
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
  const body = JSON.stringify({
    question, ...(collections.length ? { collections } : {}), ...(conversation.threadId ? { thread_id: conversation.threadId } : {}),
  });
  try {
    const headers = { "Content-Type": "application/json" };
    for await (const { name, data } of events("/v1/answers", { method: "POST", headers, body, signal: control.signal })) {
      if (name === "passages") Object.assign(turn, { passages: data.passages.length, state: "writing" });
      else if (name === "statement") turn.statements.push(data as Statement);
      else if (name === "done") finish(turn, data as Shape<"AnswerBody">);
    }
    if (turn.state !== "done") throw new Refusal(t.failures.cut, "cut", 0);
  } catch (thrown) {
    const refusal = asRefusal(thrown);
    const cut = refusal.code === "unreachable" && turn.state === "writing";
    Object.assign(turn, { state: "failed", failure: cut ? new Refusal(t.failures.cut, "cut", 0) : refusal });
  }
}

function finish(turn: Turn, made: Shape<"AnswerBody">): void {
  const { statements, status, nearest, notes, answer_id } = made;
  Object.assign(turn, { statements, status, nearest, notes, answerId: answer_id, state: "done" });
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

export function placeOf(each: Citation): string {
  return `${each.document_id}/${each.version}/${each.start}-${each.end}`;
}

/** An answer with its sources, to be pasted elsewhere. */
export function asText(turn: Turn): string {
  const sources = sourcesOf(turn);
  const numbers = (statement: Statement) =>
    statement.citations.map((each) => `[${sources.findIndex((other) => placeOf(other) === placeOf(each)) + 1}]`).join("");
  const said = turn.statements.filter((each) => each.answers).map((each) => `${each.text} ${numbers(each)}`);
  const listed = sources.map((each, at) => `[${at + 1}] ${each.title}${each.page ? `, ${t.ask.page(each.page)}` : ""}: “${each.quote}”`);
  return [turn.question, "", ...said, "", ...listed].join("\n");
}
