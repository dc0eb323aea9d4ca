import { isWithin } from "../../src/topics/position.ts";
import { assertEquals, test } from "../harness.ts";

test("isWithin() accepts the offsets from the earliest to the last, of the same epoch alone", () => {
  const last = { epoch: "a", offset: 7 };
  const accepted = (epoch: string, ...offsets: number[]) =>
    offsets.filter((offset) => isWithin({ epoch, offset }, 3, last));
  assertEquals(accepted("a", 2, 3, 4, 7, 8), [3, 4, 7]);
  assertEquals(accepted("b", 2, 3, 4, 7, 8), []);
  assertEquals(accepted("a", 3.5, NaN, Infinity, -Infinity), []);
});
