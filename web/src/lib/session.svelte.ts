import { refusalOf } from "./refusal";
import type { components } from "./schema";

type Present = components["schemas"]["Present"];
export type Role = "reader" | "editor" | "admin" | "owner" | "operator";

/** Who is signed in. `expired`: somebody was; the page stays as it is until they sign in again. */
interface Session {
  state: "unknown" | "out" | "in" | "expired";
  role: Role | null;
  name: string;
  present: Present | null;
  byKey: boolean;
}

const KEY = "knowlog-key"; // of this tab alone: the browser forgets it with the tab
const RANKS: Role[] = ["reader", "editor", "admin", "owner"];

export const session = $state<Session>({ state: "unknown", role: null, name: "", present: null, byKey: false });
let renewing: Promise<boolean> | null = null;
let looking: Promise<void> | null = null;
let shownTo: string | null = null; // whose contents may be on the page
let own: string | null = null; // the token of the session that this tab shows: one as long as the session, another of any other
const tabs = new BroadcastChannel("knowlog"); // the other tabs of this browser: cookies are one for all of them

/** Whether whoever is signed in may do what this role may. The server decides; this only hides what it would refuse. */
export function may(role: Role): boolean {
  if (role === "operator" || session.role === "operator") return session.role === role;
  return session.role !== null && RANKS.indexOf(session.role) >= RANKS.indexOf(role);
}

/** `fetch` as whoever is signed in: with their key, or with cookies and the token against forgery. */
export async function signed(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  await stayOneself();
  return sent(input, init);
}

/**
 * In another tab, somebody may have gone to another tenant or signed in: the cookies are of that session then. Where it is not of
 * the same member, this page begins anew, and this never returns: nothing of one is shown with, or sent to, the other.
 */
export async function stayOneself(): Promise<void> {
  const token = csrfToken();
  if (!own || !token || token === own || storedKey()) return;
  looking ??= lookWho().finally(() => (looking = null));
  return looking;
}

/** Whoever comes back to a tab sees what is theirs: also in one that the browser kept as it was, to go back to. */
export function watchTabs(): () => void {
  const look = () => document.visibilityState === "visible" && void stayOneself().catch(() => undefined);
  const kept = ({ persisted }: PageTransitionEvent) => persisted && location.reload();
  tabs.onmessage = () => own && !storedKey() && void leaveNothing();
  document.addEventListener("visibilitychange", look);
  addEventListener("focus", look);
  addEventListener("pageshow", kept);
  return () => {
    tabs.onmessage = null;
    document.removeEventListener("visibilitychange", look);
    removeEventListener("focus", look);
    removeEventListener("pageshow", kept);
  };
}

async function sent(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const again = request.clone();
  const response = await fetch(withCredential(request));
  if (response.status !== 401 || new URL(request.url).pathname.startsWith("/v1/sessions:")) return response;
  if (!storedKey() && (await renew())) {
    const second = await fetch(withCredential(again));
    if (second.status !== 401) return second;
  }
  if (session.state === "in") session.state = "expired";
  return response;
}

/** The headers that say who is calling; for what is not sent by `fetch`. */
export function credentialHeaders(): Record<string, string> {
  const key = storedKey();
  if (key) return { Authorization: `Bearer ${key}` };
  const token = own ?? csrfToken(); // of another session the server refuses to change anything with it
  return token ? { "X-CSRF-Token": token } : {};
}

function withCredential(request: Request): Request {
  for (const [name, value] of Object.entries(credentialHeaders())) request.headers.set(name, value);
  return request;
}

function storedKey(): string | null {
  return sessionStorage.getItem(KEY);
}

function csrfToken(): string | null {
  return /(?:^|;\s*)(?:__Host-)?knowlog-csrf=([^;]+)/.exec(document.cookie)?.[1] ?? null;
}

/** Gets new tokens with the refresh token in the cookies. Another tab that was faster has put its own there. Throws a Refusal. */
async function renew(): Promise<boolean> {
  const token = csrfToken();
  if (!token) return false;
  renewing ??= fetch("/v1/sessions:refresh", { method: "POST", headers: { "X-CSRF-Token": token } })
    .then((response) => granted(response, 409))
    .finally(() => (renewing = null));
  return renewing;
}

const BUSY = 429;

/** Whether the server grants it, or says one of `also`. What says nothing about the caller, such as trouble of the server, is thrown. */
async function granted(response: Response, ...also: number[]): Promise<boolean> {
  if (response.status >= 500 || response.status === BUSY) throw await refusalOf(response);
  return response.ok || also.includes(response.status);
}

/**
 * Find out whether somebody is signed in, and who. Where it is somebody else than before, the page begins anew.
 * Throws a Refusal where that cannot be found out; what is known of them stays.
 */
export async function lookWho(): Promise<void> {
  const token = csrfToken(); // before it is asked whose it is: what comes into the cookies meanwhile is seen with the next call
  const found = storedKey() ? await whoseKey() : await whoseCookies();
  const who = found.state === "in" ? principal(found) : null;
  if (who && shownTo && who !== shownTo) return leaveNothing("/", storedKey());
  shownTo = who ?? shownTo;
  own = found.present ? token : own;
  Object.assign(session, shownTo && found.state === "out" ? { state: "expired" } : found);
}

/** Whose contents a page shows: a member's, or those of the tenant that a key names. */
function principal({ present }: Session): string {
  return present ? present.member.member_id : `key of ${storedKey()?.split("_")[1]}`;
}

const NOBODY: Session = { state: "out", role: null, name: "", present: null, byKey: false };

async function whoseCookies(): Promise<Session> {
  if (!csrfToken()) return NOBODY;
  const response = await sent("/v1/sessions/current");
  if (response.status === 401) return NOBODY;
  if (!response.ok) throw await refusalOf(response);
  const present = (await response.json()) as Present;
  return { state: "in", role: present.member.role as Role, name: present.member.name || present.member.email, present, byKey: false };
}

const NOTHING = "00000000-0000-0000-0000-000000000000"; // a document that is not there: 403 is said before that

/** What a key may is not told; calls that need more and change nothing are tried instead. */
async function whoseKey(): Promise<Session> {
  const known = { ...NOBODY, state: "in" as const, byKey: true };
  const seen = await signed("/v1/collections?limit=1");
  if (seen.status === 403) throw await refusalOf(seen); // a good key, and nothing may be seen: it says why
  if (await granted(seen)) {
    if (await granted(await signed("/v1/keys"))) return { ...known, role: "owner" };
    const headers = { "Content-Type": "application/json" };
    const tried = await signed(`/v1/documents/${NOTHING}`, { method: "PATCH", headers, body: "{}" });
    return { ...known, role: (await granted(tried, 404)) ? "editor" : "reader" };
  }
  if (await granted(await signed("/v1/tenants?limit=1"))) return { ...known, role: "operator" };
  sessionStorage.removeItem(KEY);
  return NOBODY;
}

/** Sign in with an API key. Throws a Refusal where it is not good. */
export async function signInByKey(key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}` };
  const response = await fetch("/v1/collections?limit=1", { headers, credentials: "omit" });
  if (!response.ok && !(await fetch("/v1/tenants?limit=1", { headers, credentials: "omit" })).ok) {
    throw await refusalOf(response);
  }
  sessionStorage.setItem(KEY, key);
  await lookWho();
}

/** Sign in with a password. Throws a Refusal; its code is `code-needed` where the second factor is asked for. */
export async function signInByPassword(email: string, password: string, code: string | null): Promise<void> {
  const body = JSON.stringify({ email, password, code: code || null, cookies: true });
  const response = await fetch("/v1/sessions", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (!response.ok) throw await refusalOf(response);
  sessionStorage.removeItem(KEY);
  await lookWho();
}

/** Sign out: of a session in every tab of this browser; of a key, only this tab forgets it. Throws a Refusal, and stays signed in. */
export async function signOut(): Promise<void> {
  if (storedKey()) return leaveNothing();
  const response = await signed("/v1/sessions/current", { method: "DELETE" });
  if (!response.ok && response.status !== 401) throw await refusalOf(response);
  return leaveForAll();
}

/** Begin the page anew in every tab: its session is over, or another's from now on. */
export function leaveForAll(path = "/"): Promise<never> {
  tabs.postMessage("left");
  return leaveNothing(path);
}

/**
 * Begin the page anew, with nothing in it of whoever was here: the next person may be another, and have brought a key. What waits
 * for this goes no further.
 */
function leaveNothing(path = "/", key: string | null = null): Promise<never> {
  sessionStorage.clear();
  if (key) sessionStorage.setItem(KEY, key);
  session.state = "unknown";
  location.replace(path);
  return new Promise(() => undefined);
}
