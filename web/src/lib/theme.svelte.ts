export type Theme = "system" | "light" | "dark";

export const theme = $state<{ chosen: Theme }>({ chosen: stored() });

function stored(): Theme {
  const found = localStorage.getItem("theme");
  return found === "light" || found === "dark" ? found : "system";
}

/** Puts the chosen theme onto the page; `system` leaves it to the browser. */
export function keepTheme(chosen: Theme = theme.chosen): void {
  theme.chosen = chosen;
  localStorage.setItem("theme", chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
