import { all, api, done, type Shape } from "./api";
import { Loader } from "./loader.svelte";

/** The collections that whoever is signed in may see. */
export function collectionsLoader(): Loader<Shape<"Collection">[]> {
  return new Loader(() => all((cursor) => done(api.GET("/v1/collections", { params: { query: { cursor, limit: 200 } } }))));
}
