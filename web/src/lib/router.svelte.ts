/** Where the reader is. `hash` never leaves the browser: links of mails carry their secrets there. */
export const here = $state(look());

function look(): { path: string; query: URLSearchParams; hash: string } {
  return { path: location.pathname, query: new URLSearchParams(location.search), hash: location.hash.slice(1) };
}

/** Go to an address of this application. */
export function go(href: string, { replace = false } = {}): void {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  Object.assign(here, look());
}

/** Change the query of the address in place, so that the view can be linked and reloaded; null takes a name out. */
export function setQuery(changes: Record<string, string | null>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), { replace: true });
}

const OF_THE_SERVER = /^\/(v1|docs|openapi\.json|metrics|health)(\/|$)/;

/** Follow links of this application without loading the page anew. */
export function followLinks(): () => void {
  const clicked = (event: MouseEvent) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || OF_THE_SERVER.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  };
  const moved = () => Object.assign(here, look());
  addEventListener("click", clicked);
  addEventListener("popstate", moved);
  return () => (removeEventListener("click", clicked), removeEventListener("popstate", moved));
}
