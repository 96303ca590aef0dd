/** Something that is fetched: its value, why it did not come, and whether it is on its way. */
export class Loader<Value> {
  value = $state.raw<Value>();
  failure = $state.raw<unknown>(null);
  busy = $state(false);
  private turn = 0;

  constructor(private readonly call: () => Promise<Value>) {}

  /** Fetch it (anew). What was there stays until the new value comes; an answer that was overtaken is dropped. */
  load = async (): Promise<void> => {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const value = await this.call();
      if (turn === this.turn) [this.value, this.failure] = [value, null];
    } catch (thrown) {
      if (turn === this.turn) this.failure = thrown;
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  };
}

/** Do something again and again, until what is returned is called. It waits while nobody looks at the page. */
export function every(ms: number, act: () => void): () => void {
  const timer = setInterval(() => document.visibilityState === "visible" && act(), ms);
  return () => clearInterval(timer);
}
