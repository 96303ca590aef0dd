import { t } from "../texts";

/** Why something was not done: the sentence for a person, the code for the program, and when it may be tried again. */
export class Refusal extends Error {
  constructor(
    readonly detail: string,
    readonly code: string,
    readonly status: number,
    readonly more: Record<string, unknown> = {},
    readonly retryAfterS: number | null = null,
  ) {
    super(detail);
  }
}

/** The refusal that an answer of the server holds. */
export async function refusalOf(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => null);
  return refusalFrom(body, response.status, Number(response.headers.get("Retry-After")) || null);
}

export function refusalFrom(body: unknown, status: number, retryAfterS: number | null = null): Refusal {
  const said = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const detail = typeof said.detail === "string" ? said.detail : t.failures.unexpected(status);
  return new Refusal(detail, typeof said.code === "string" ? said.code : "unexpected", status, said, retryAfterS);
}

/** Whatever was thrown, as a refusal: a connection that cannot be made is one, too. */
export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  if (thrown instanceof DOMException && thrown.name === "AbortError") return new Refusal(t.failures.stopped, "aborted", 0);
  if (thrown instanceof TypeError) return new Refusal(t.failures.unreachable, "unreachable", 0);
  return new Refusal(String(thrown), "unexpected", 0);
}
