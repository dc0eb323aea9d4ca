import { DenseSet, indexAccess } from "../../src/util/dense_set.ts";
import type { Indexed } from "../../src/util/dense_set.ts";
import { assertEquals, test } from "../harness.ts";

interface Member extends Indexed {
  name: string;
}

const member = (name: string): Member => ({ name, index: -1 });
const names = (set: DenseSet<Member>) => Array.from(set, ({ name }) => name).sort().join("");

test("DenseSet has the members that were added and not deleted, in any order", () => {
  const all = Array.from("abcdefgh", member);
  // First, last, in the middle, and each order of going for three.
  for (
    const going of ["a", "h", "d", "ha", "ah", "abc", "acb", "bac", "bca", "cab", "cba", "hgfed"]
  ) {
    const set = new DenseSet<Member>(indexAccess);
    for (const each of all) set.add(each);
    for (const name of going) set.delete(all.find((each) => each.name === name)!);
    const left = all.filter(({ name }) => !going.includes(name));
    assertEquals(names(set), left.map(({ name }) => name).join(""));
    assertEquals(set.size, left.length);
    for (const each of left) set.delete(each);
    assertEquals([set.size, all.every(({ index }) => index === -1)], [0, true]);
  }
});

test("DenseSet.delete of an object that is no member changes nothing", () => {
  const [a, b] = [member("a"), member("b")];
  const set = new DenseSet<Member>(indexAccess);
  set.add(a);
  set.delete(b);
  assertEquals(names(set), "a");
  set.delete(a);
  set.delete(a);
  assertEquals(set.size, 0);
  set.add(a);
  assertEquals(names(set), "a");
});

test("DenseSet's iteration meets each member once that it had at its start", () => {
  const all = Array.from("abcd", member);
  const set = new DenseSet<Member>(indexAccess);
  for (const each of all) set.add(each);
  const met: string[] = [];
  for (const each of set) {
    met.push(each.name);
    for (const other of all) set.delete(other);
    set.add(member("e"));
  }
  assertEquals(met.sort(), ["a", "b", "c", "d"]);
});
