import { getOrCreate } from "../../src/util/maps.ts";
import { assertEquals, test } from "../harness.ts";

test("getOrCreate() creates a value once for each key of a map, and sets it", () => {
  const map = new Map<string, { key: string }>([["old", { key: "old" }]]);
  const created: string[] = [];
  const get = (key: string) =>
    getOrCreate(map, key, () => {
      created.push(key);
      return { key };
    });
  assertEquals([get("old"), get("new")], [{ key: "old" }, { key: "new" }]);
  assertEquals([get("new") === map.get("new"), created], [true, ["new"]]);
});

test("getOrCreate() creates values of a WeakMap", () => {
  const map = new WeakMap<object, number[]>();
  const key = {};
  getOrCreate(map, key, () => []).push(1);
  getOrCreate(map, key, () => []).push(2);
  assertEquals(map.get(key), [1, 2]);
});
