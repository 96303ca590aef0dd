/** Every word that people read, in English. */
export const en = {
  busy: "One moment …",
  close: "Close",
  cancel: "Cancel",
  failures: {
    unreachable: "The server cannot be reached. Look whether it runs and you are online; what you typed is still here.",
    unexpected: (status: number) => `The server answered with the status ${status} and no reason.`,
    stopped: "Stopped.",
    cut: "The answer broke off. What came is shown; ask again for the whole.",
    later: (seconds: number) => `It may be tried again in ${seconds} s.`,
    again: "Try again",
  },
  menu: {
    label: "Pages", open: "Menu", skip: "To the content", signOut: "Sign out", ask: "Ask", documents: "Documents",
  },
  theme: { label: "Colours", system: "As the system", light: "Light", dark: "Dark" },
  absent: { title: "There is no such page", text: "The address leads nowhere. Go on with" },
  plot: { figures: "The figures", series: "Series", interval: "Interval" },
  accept: { title: "Accept an invitation" },
  reset: { title: "Set a new password" },
};
