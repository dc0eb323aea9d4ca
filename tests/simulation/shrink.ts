/**
 * Makes a list that fails shorter: removes parts of it, from halves to single items, as long as it still
 * fails.
 *
 * @param check Returns the items that a failure needs, at most those that it is given; `undefined` if
 * they do not fail.
 * @returns A list of which every item is needed.
 */
export async function shrink<Item>(
  items: readonly Item[],
  check: (items: readonly Item[]) => Promise<readonly Item[] | undefined>,
): Promise<readonly Item[]> {
  let shortest = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = Math.floor(size / 2)) {
    // A part that was needed may not be, once a later one is gone.
    for (let hasShrunk = true; hasShrunk;) {
      hasShrunk = false;
      for (let start = 0; start < shortest.length;) {
        const failing = await check([
          ...shortest.slice(0, start),
          ...shortest.slice(start + size),
        ]);
        if (failing === undefined) {
          start += size;
        } else {
          shortest = failing;
          hasShrunk = true;
        }
      }
    }
  }
  return shortest;
}
