import type { Component } from "svelte";
import type { Role } from "./lib/session.svelte";
import { t } from "./texts";

/** A page: its address, its file, and who finds it in the menu. Addresses stand in `knowlog.api.web` as well. */
export interface Page {
  path: string;
  title: string;
  load: () => Promise<{ default: Component }>;
  least: Role | null; // the least role that sees it in the menu; null: in no menu, open to everybody
  operator?: boolean; // whether the operator's key sees it, too
}

export const PAGES: Page[] = [
  { path: "/", title: t.menu.ask, load: () => import("./pages/Ask.svelte"), least: "reader" },
  { path: "/documents", title: t.menu.documents, load: () => import("./pages/Documents.svelte"), least: "reader" },
  { path: "/search", title: t.menu.search, load: () => import("./pages/Search.svelte"), least: "reader" },
  { path: "/chunks", title: t.menu.chunks, load: () => import("./pages/Chunks.svelte"), least: "editor" },
  { path: "/evaluation", title: t.menu.evaluation, load: () => import("./pages/Evaluation.svelte"), least: "admin" },
  { path: "/operations", title: t.menu.operations, load: () => import("./pages/Operations.svelte"), least: "reader", operator: true },
  { path: "/people", title: t.menu.people, load: () => import("./pages/People.svelte"), least: "reader" },
  { path: "/accept", title: t.accept.title, load: () => import("./pages/Accept.svelte"), least: null },
  { path: "/reset", title: t.reset.title, load: () => import("./pages/Reset.svelte"), least: null },
];

/** The page at an address: the one whose path it begins with. */
export function pageAt(path: string): Page | undefined {
  return PAGES.find((page) => page.path === path || (page.path !== "/" && path.startsWith(`${page.path}/`)));
}
