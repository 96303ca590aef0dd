import { asRefusal } from "./refusal";

const AWAY = [502, 503, 504]; // what a proxy says that finds no server
const failed = new Set<{ load: () => Promise<void> }>();

/** The server answers again: what it could not give before is fetched once more. */
function answersAgain(): void {
  const all = [...failed];
  failed.clear();
  for (const each of all) void each.load();
}

/** Something that is fetched: its value, why it did not come, and whether it is on its way. */
export class Loader<Value> {
  value = $state.raw<Value>();
  failure = $state.raw<unknown>(null);
  busy = $state(false);
  private turn = 0;

  constructor(private readonly call: () => Promise<Value>) {}

  /** Fetch it (anew). What was there stays until the new value comes; an answer that was overtaken is dropped. */
  load = (): Promise<void> => this.take(this.call);

  protected async take(call: () => Promise<Value>): Promise<void> {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const value = await call();
      if (turn !== this.turn) return;
      [this.value, this.failure] = [value, null];
      failed.delete(this);
      answersAgain();
    } catch (thrown) {
      if (turn !== this.turn) return;
      this.failure = thrown;
      const { code, status } = asRefusal(thrown);
      if (code === "unreachable" || AWAY.includes(status)) failed.add(this);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }
}

interface Page<Item> {
  items: Item[];
  next_cursor?: string | null;
}

/** A list that is fetched a page at a time. */
export class Pages<Item> extends Loader<Page<Item>> {
  constructor(private readonly page: (cursor?: string) => Promise<Page<Item>>) {
    super(() => page());
  }

  get items(): Item[] {
    return this.value?.items ?? [];
  }

  /** Whether there is more than was fetched. */
  get goesOn(): boolean {
    return Boolean(this.value?.next_cursor);
  }

  /** Fetch the next page, if there is one and none is on its way. */
  more = async (): Promise<void> => {
    const cursor = this.value?.next_cursor;
    if (!cursor || this.busy) return;
    await this.take(async () => {
      const { items, next_cursor } = await this.page(cursor);
      return { items: [...this.items, ...items], next_cursor };
    });
  };
}

/** Something that is tried, such as sending a form: whether it is under way, and why it was refused. */
export class Attempt {
  busy = $state(false);
  failure = $state.raw<unknown>(null);

  /** Try it; returns whether it was done. What was typed is for `act` to clear, at its end: after a refusal it is still there. */
  make = async (act: () => Promise<unknown>): Promise<boolean> => {
    this.busy = true;
    this.failure = null;
    try {
      await act();
    } catch (thrown) {
      this.failure = thrown;
    } finally {
      this.busy = false;
    }
    return this.failure === null;
  };
}

/** Do something again and again, until what is returned is called. It waits while nobody looks at the page. */
export function every(ms: number, act: () => void): () => void {
  const timer = setInterval(() => document.visibilityState === "visible" && act(), ms);
  return () => clearInterval(timer);
}
