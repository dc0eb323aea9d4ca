import { DenseSet, ownPlaces } from "../../src/util/dense_set.ts";
import type { Placed } from "../../src/util/dense_set.ts";
import { assertEquals, test } from "../harness.ts";

interface Member extends Placed {
  name: string;
}

const member = (name: string): Member => ({ name, place: -1 });
const names = (roll: DenseSet<Member>) => Array.from(roll, ({ name }) => name).sort().join("");

test("DenseSet has who was added and not deleted, in whatever order", () => {
  const all = Array.from("abcdefgh", member);
  // First, last, in the middle, and each order of going for three.
  for (
    const going of ["a", "h", "d", "ha", "ah", "abc", "acb", "bac", "bca", "cab", "cba", "hgfed"]
  ) {
    const roll = new DenseSet<Member>(ownPlaces);
    for (const each of all) roll.add(each);
    for (const name of going) roll.delete(all.find((each) => each.name === name)!);
    const left = all.filter(({ name }) => !going.includes(name));
    assertEquals(names(roll), left.map(({ name }) => name).join(""));
    assertEquals(roll.size, left.length);
    for (const each of left) roll.delete(each);
    assertEquals([roll.size, all.every(({ place }) => place === -1)], [0, true]);
  }
});

test("DenseSet.delete of who is not there changes nothing", () => {
  const [a, b] = [member("a"), member("b")];
  const roll = new DenseSet<Member>(ownPlaces);
  roll.add(a);
  roll.delete(b);
  assertEquals(names(roll), "a");
  roll.delete(a);
  roll.delete(a);
  assertEquals(roll.size, 0);
  roll.add(a);
  assertEquals(names(roll), "a");
});

test("DenseSet's iteration meets each once who was there when it began", () => {
  const all = Array.from("abcd", member);
  const roll = new DenseSet<Member>(ownPlaces);
  for (const each of all) roll.add(each);
  const met: string[] = [];
  for (const each of roll) {
    met.push(each.name);
    for (const other of all) roll.delete(other);
    roll.add(member("e"));
  }
  assertEquals(met.sort(), ["a", "b", "c", "d"]);
});
